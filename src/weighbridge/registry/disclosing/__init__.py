"""Findings and advisories in the registry: kept in versions, read by whom and from the day that their disclosure says, told to followers.

    Finding -> findings.save_finding -> disclosure goes on (tell, embargo, publish, answer, withdraw) -> public by the clock
    Advisory -> advisories.save_advisory -> outbox (a row for each follower, in the same transaction) -> delivery
    digest -> reach.advisories_about -> what a notice says of it, and of its parents

Before its day, what may not be read is as if it were not there: for a reader who may not, every function here answers as it would without it.

- `readers`: who reads. `findings`, `advisories`: saving, changing, reading. `reach`, `descendants`: lineage and adoption.
- `records`: the newest versions and their days. `prompts`: a finding as prompts that ask again.
- `following`: followers. `outbox`: what is to be sent to them. `addresses`: where it may be sent. `delivery`: sending it.
"""

from weighbridge.registry.disclosing.findings import Saved, save_finding
from weighbridge.registry.disclosing.reach import How, Reach, advisories_about, advisories_about_closed

__all__ = ["How", "Reach", "Saved", "advisories_about", "advisories_about_closed", "save_finding"]
