"""Who may do what, below the service: what holds when several act at once, on either database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import Connection, func, insert, select
from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography

from tests.fakes.authenticator import Authenticator, bytes_of, text_of
from tests.registry.databases import Clock, opened
from weighbridge.digests import digest_bytes
from weighbridge.errors import UsageError
from weighbridge.registry.accounts.challenges import LASTS, new_challenge, seal_key, sealed, unsealed, use_challenge
from weighbridge.registry.accounts.identities import tie_identity, use_identity
from weighbridge.registry.accounts.links import find_link, first_link, make_link, use_link
from weighbridge.registry.accounts.passkeys import Credential, Place, check_new, creation_options, remove_passkey
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.accounts.secret import digest_of
from weighbridge.registry.accounts.sessions import begin_session, end_all, find_session
from weighbridge.registry.accounts.tokens import LONGEST, find_token, make_token
from weighbridge.registry.accounts.users import add_user, change_role, disable, list_users, maintainers
from weighbridge.registry.audit import verify_audit
from weighbridge.registry.backup import back_up, restore
from weighbridge.registry.store import Store, open_store
from weighbridge.registry.tables.accounts import identities, links, passkeys, seals, sessions, steps, tokens, users

HOURS = timedelta(hours=12)


def give_passkey(connection: Connection, clock: Clock, user: str, title: str = "Laptop") -> str:
    """Give a user a passkey whose key is nobody's; return its digest."""
    digest = digest_bytes(f"{user} {title}".encode())
    connection.execute(
        insert(passkeys).values(
            digest=digest,
            user=user,
            name=title,
            credential=title.encode(),
            public_key=b"key",
            sign_count=0,
            backed_up=False,
            created_at=clock.now,
            used_at=None,
        )
    )
    return digest


def furnish(store: Store, clock: Clock) -> tuple[str, str]:
    """Put something into every table of this part; return the secrets of a session and a token of Ada's."""
    seal_key(store)
    with store.writing() as connection:
        add_user(connection, clock.now, "ada", Role.MAINTAINER, by="test")
        give_passkey(connection, clock, "ada")
        tie_identity(connection, clock.now, "ada", "https://issuer.example", "7", by="test")
        make_link(connection, clock.now, "ada", by="test")
        use_challenge(connection, clock.now, new_challenge("sign in", clock.now))
        session = begin_session(connection, clock.now, "ada", how="passkey", lasts=HOURS)
        token = make_token(
            connection, clock.now, "ada", name="CI", role=Role.TESTER, lasts=timedelta(days=1), by="test"
        )
    return session, token


def rows_of(store: Store) -> dict[str, list[object]]:
    """Every row of this part's tables."""
    tables = (users, passkeys, identities, tokens, sessions, links, steps, seals)
    with store.reading() as connection:
        return {each.name: sorted(map(tuple, connection.execute(select(each))), key=repr) for each in tables}


def at_once(acts: Sequence[Callable[[], object]]) -> list[str]:
    """Do all of these at the same time; return what became of each: "done", or what was refused."""
    ready, found = threading.Barrier(len(acts)), [""] * len(acts)

    def done(place: int, act: Callable[[], object]) -> None:
        ready.wait()
        try:
            act()
            found[place] = "done"
        except UsageError as error:
            found[place] = error.what

    threads = [threading.Thread(target=done, args=each) for each in enumerate(acts)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return found


def test_two_maintainers_who_unmake_one_another_at_once_do_not_leave_none(store: Store, url: str, clock: Clock) -> None:
    """On two servers with one database, too."""
    with store.writing() as connection:
        for name in ("ada", "grace"):
            add_user(connection, clock.now, name, Role.MAINTAINER, by="test")
            give_passkey(connection, clock, name)
    with opened(url, clock) as other:

        def unmade(on: Store, name: str) -> None:
            with on.writing() as connection:
                change_role(connection, clock.now, name, Role.TESTER, by="test")

        found = at_once([lambda: unmade(store, "ada"), lambda: unmade(other, "grace")])
    assert sorted(found) == ["done", "this is the last maintainer who can sign in"]
    with store.reading() as connection:
        assert len(maintainers(connection)) == 1
        verify_audit(connection)


def test_two_passkeys_that_are_removed_at_once_do_not_leave_none(store: Store, clock: Clock) -> None:
    with store.writing() as connection:
        add_user(connection, clock.now, "ada", Role.TESTER, by="test")
        digests = [give_passkey(connection, clock, "ada", title) for title in ("Laptop", "Phone")]

    def removed(digest: str) -> None:
        with store.writing() as connection:
            remove_passkey(connection, clock.now, "ada", digest, by="ada")

    found = at_once([lambda each=each: removed(each) for each in digests])  # type: ignore[misc]
    assert sorted(found) == ["done", "this is the last way to sign in"]


def test_two_servers_make_one_key_and_one_link_holds(url: str, clock: Clock) -> None:
    """Servers that start at once know one another's challenges, and only the link that was printed last is good."""
    stores = [open_store(url, clock=clock) for _ in range(3)]
    keys, printed = [], []
    found = at_once([lambda each=each: keys.append(seal_key(each)) for each in stores])  # type: ignore[misc]
    assert (found, len(set(keys))) == (["done"] * 3, 1)
    at_once([lambda each=each: printed.append(first_link(each, "http://localhost")) for each in stores])  # type: ignore[misc]
    with stores[0].reading() as connection:
        good = 0
        for link in printed:
            try:
                find_link(connection, str(link).partition("#")[2], clock.now)
                good += 1
            except UsageError:
                pass
    assert good == 1
    for each in stores:
        each.close()


def test_a_maintainer_who_comes_in_another_way_ends_the_first_link(store: Store, clock: Clock) -> None:
    """The printed link that nobody used does not stay a way to become a maintainer."""
    secret = str(first_link(store, "http://localhost")).partition("#")[2]
    with store.writing() as connection:
        add_user(connection, clock.now, "ada", Role.MAINTAINER, by="root by the command line")
    assert first_link(store, "http://localhost") is not None, "somebody who cannot sign in maintains nothing"
    secret = str(first_link(store, "http://localhost")).partition("#")[2]
    with store.writing() as connection:
        give_passkey(connection, clock, "ada")
        with pytest.raises(UsageError, match="cannot be used"):
            use_link(connection, clock.now, digest_of(secret) or "", name="eve")
    assert first_link(store, "http://localhost") is None


def test_a_link_that_fails_in_the_middle_is_not_used_up(store: Store, clock: Clock) -> None:
    """Adding a passkey that cannot be kept leaves no user, no entry, and the link as it was."""
    secret = str(first_link(store, "http://localhost")).partition("#")[2]
    with pytest.raises(UsageError, match="too late"), store.writing() as connection:
        use_link(connection, clock.now, digest_of(secret) or "", name="ada")
        raise UsageError("too late")
    with store.reading() as connection:
        assert list_users(connection, clock.now) == []
        assert find_link(connection, secret, clock.now).role is Role.MAINTAINER


def test_answered_challenges_are_kept_only_as_long_as_they_could_be_sent_again(store: Store, clock: Clock) -> None:
    key = seal_key(store)
    for _ in range(3):
        challenge = new_challenge("sign in", clock.now)
        text = sealed(key, challenge)
        assert unsealed(key, text, "sign in", clock.now) == challenge
        with store.writing() as connection:
            use_challenge(connection, clock.now, challenge)
            with pytest.raises(UsageError):
                use_challenge(connection, clock.now, challenge)
        clock.now += LASTS
        with pytest.raises(UsageError):
            unsealed(key, text, "sign in", clock.now)
    with store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(steps)).scalar() == 1


@pytest.mark.parametrize("text", ["", ".", "a", "a.b", "é.é", "." * 5_000, None])
def test_what_is_no_challenge_of_ours_is_refused(text: str | None) -> None:
    with pytest.raises(UsageError, match="begun elsewhere"):
        unsealed(b"key", text, "sign in", Clock().now)


def test_what_is_begun_for_somebody_who_is_disabled_meanwhile_does_not_hold(store: Store, clock: Clock) -> None:
    """Even when a row of theirs is there: each request looks at the user."""
    with store.writing() as connection:
        add_user(connection, clock.now, "ada", Role.TESTER, by="test")
        disable(connection, clock.now, "ada", by="test")
        session = begin_session(connection, clock.now, "ada", how="passkey", lasts=HOURS)
        token = make_token(
            connection, clock.now, "ada", name="CI", role=Role.TESTER, lasts=timedelta(days=1), by="test"
        )
        assert find_session(connection, session, clock.now, lasts=HOURS, idles=HOURS) is None
        assert find_token(connection, token, clock.now) is None


def test_a_backup_brings_everybody_back_until_the_operator_ends_it(
    store: Store, url: str, clock: Clock, tmp_path: Path
) -> None:
    """Users, passkeys, sessions and tokens are in a backup; one command ends what had ended since."""
    session, token = furnish(store, clock)
    before = rows_of(store)
    assert all(before.values())
    back_up(store, tmp_path / "backup")
    with store.writing() as connection:
        disable(connection, clock.now, give_second_maintainer(connection, clock), by="test")
        end_all(connection, clock.now, by="test")
    restore(tmp_path / "backup", f"sqlite:///{tmp_path / 'again.db'}")
    with opened(f"sqlite:///{tmp_path / 'again.db'}", clock) as again:
        assert rows_of(again) == before
        with again.writing() as connection:
            assert seal_key(again) == seal_key(store)
            assert find_session(connection, session, clock.now, lasts=HOURS, idles=HOURS) is not None
            assert find_token(connection, token, clock.now) is not None
            assert use_identity(connection, clock.now, "https://issuer.example", "7").name == "ada"
            end_all(connection, clock.now, by="test")
        with again.reading() as connection:
            assert find_session(connection, session, clock.now, lasts=HOURS, idles=HOURS) is None
            assert find_token(connection, token, clock.now) is None
            verify_audit(connection)


def give_second_maintainer(connection: Connection, clock: Clock) -> str:
    add_user(connection, clock.now, "grace", Role.MAINTAINER, by="test")
    give_passkey(connection, clock, "grace")
    return "grace"


def test_no_token_is_above_its_owner_whatever_the_owner_becomes(store: Store, clock: Clock) -> None:
    """For each role of an owner, of a token, and of the owner afterwards."""
    with store.writing() as connection:
        for role in Role:
            name = f"a-{role.value}"
            add_user(connection, clock.now, name, role, by="test")
            made = {}
            for each in Role:
                try:
                    made[each] = make_token(connection, clock.now, name, name="x", role=each, lasts=LONGEST, by=name)
                except UsageError:
                    assert not role.covers(each)
            assert set(made) == {each for each in Role if role.covers(each)}
            for later in Role:
                change_role(connection, clock.now, name, later, by="test")
                for each, secret in made.items():
                    found = find_token(connection, secret, clock.now)
                    assert found is not None
                    assert found.role is (each if later.covers(each) else later)


PLACE = Place("http://localhost", "localhost", "weighbridge")
CHALLENGE = new_challenge("join", Clock().now, user="ada", handle="0" * 64)
MADE = Authenticator("http://localhost").make(creation_options(PLACE, CHALLENGE, []))


def test_a_passkey_as_it_was_made_is_taken() -> None:
    assert check_new(PLACE, CHALLENGE, Credential.model_validate(MADE)).sign_count == 0


@settings(max_examples=300, deadline=None)
@given(
    part=st.sampled_from(["clientDataJSON", "attestationObject"]),
    cut=st.tuples(st.integers(0, 400), st.integers(0, 400)),
    put=st.binary(max_size=40),
)
def test_a_passkey_that_was_changed_anywhere_is_refused_and_breaks_nothing(
    part: str, cut: tuple[int, int], put: bytes
) -> None:
    """Whatever bytes stand in place of some of it, the parsers' errors are ours, and what is taken is what was made."""
    data = bytes_of(MADE["response"][part])
    changed = data[: cut[0]] + put + data[sum(cut) :]
    response = MADE["response"] | {part: text_of(changed)}
    try:
        found = check_new(PLACE, CHALLENGE, Credential.model_validate(MADE | {"response": response}))
    except UsageError:
        return
    # Taken: its key is one (what else stands there, such as the model of the authenticator, is nobody's business here).
    key = decoded_public_key_to_cryptography(decode_credential_public_key(found.public_key))
    assert isinstance(key, EllipticCurvePublicKey)


@settings(max_examples=100, deadline=None)
@given(st.recursive(st.none() | st.integers() | st.text(max_size=20), lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner)))  # fmt: skip
def test_what_is_no_credential_is_refused_as_one(value: object) -> None:
    with pytest.raises(ValidationError):
        Credential.model_validate(value)
