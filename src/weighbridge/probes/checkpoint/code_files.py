"""Looks across files for code that comes along with a model, and for what would make it run."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence, Set
from typing import Any

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.report import Examined, Finding, NotExamined, Severity

# What reaches beyond computing, by its whole name or by the module that it is of.
_ACTING = {
    "eval": "evaluates text", "exec": "runs text", "compile": "compiles text", "__import__": "imports by name", "__builtins__": "looks up built-in functions by name",
    "os.system": "runs programs", "os.popen": "runs programs", "os.startfile": "runs programs", "os.fork": "runs programs", "os.remove": "deletes files",
    "os.unlink": "deletes files", "os.removedirs": "deletes files", "os.kill": "ends programs", "shutil.rmtree": "deletes files",
    "pickle.load": "loads a pickle", "pickle.loads": "loads a pickle", "pickle.Unpickler": "loads a pickle", "marshal.loads": "loads code", "marshal.load": "loads code",
    "shelve.open": "loads a pickle", "ctypes.CDLL": "calls native code", "importlib.import_module": "imports by name", "importlib.__import__": "imports by name",
    "runpy.run_path": "runs text", "runpy.run_module": "runs text", "code.interact": "runs text", "socket.socket": "opens connections", "webbrowser.open": "opens connections",
    "base64.b64decode": "decodes hidden text", "zlib.decompress": "unpacks hidden text", "codecs.decode": "decodes hidden text", "bytes.fromhex": "decodes hidden text",
    "torch.hub.load": "downloads code", "cloudpickle.loads": "loads a pickle", "cloudpickle.load": "loads a pickle", "dill.loads": "loads a pickle", "dill.load": "loads a pickle",
    "joblib.load": "loads a pickle", "pip.main": "installs packages", "torch.utils.cpp_extension.load": "compiles native code", "torch.utils.cpp_extension.load_inline": "compiles native code",
}  # fmt: skip
_ACTING_MODULES = {
    "subprocess": "runs programs", "posix": "runs programs", "nt": "runs programs", "pty": "runs programs", "paramiko": "opens connections", "socket": "opens connections",
    "requests": "opens connections", "urllib.request": "opens connections", "urllib3": "opens connections", "http.client": "opens connections", "httpx": "opens connections",
    "aiohttp": "opens connections", "ftplib": "opens connections", "smtplib": "opens connections", "telnetlib": "opens connections", "websocket": "opens connections",
    "ctypes": "calls native code", "cffi": "calls native code", "pip._internal": "installs packages", "ensurepip": "installs packages",
}  # fmt: skip
_ACTING_STARTS = {"os.exec": "runs programs", "os.spawn": "runs programs", "os.posix_spawn": "runs programs"}
# Modules whose parts nobody needs to look up by a name that is computed.
_LOOKED_UP = frozenset({"os", "sys", "builtins", "subprocess", "importlib", "posix", "nt", "socket", "ctypes", "shutil", "pickle", "marshal"})  # fmt: skip
_INNER_ATTRIBUTES = frozenset({"__subclasses__", "__globals__", "__builtins__", "__code__"})
_HIDING = frozenset({"base64.b64decode", "zlib.decompress", "codecs.decode", "bytes.fromhex"})
_WORST = ("runs programs", "runs text", "evaluates text", "compiles text", "looks up", "reaches for", "decodes", "unpacks", "loads code", "calls native", "imports by name", "compiles native", "installs")  # fmt: skip
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")  # they change the direction of what is shown (CVE-2021-42574)
# Python files that loaders import where they are allowed to.
_LOADED = re.compile(
    r"(?:modeling|configuration|tokenization|processing|image_processing|feature_extraction|pipeline|generation|modelling|quantiz)\w*\.py\Z|\Agenerate\.py\Z"
)
# Files that run without anybody calling them.
_SELF_STARTING = {"sitecustomize.py": "whenever Python starts", "usercustomize.py": "whenever Python starts", "conftest.py": "when tests are run", "setup.py": "when the directory is installed", "handler.py": "when an inference service starts", "hubconf.py": "when torch.hub loads the directory", "__init__.py": ""}  # fmt: skip


def examine_code(files: Sequence[Examined]) -> tuple[list[Finding], list[NotExamined]]:
    """Return the code that is there, what it does, and what would run it."""
    findings: list[Finding] = []
    left: list[NotExamined] = []
    called: set[str] = set()
    paths = {file.path for file in files}
    for file in files:
        data = file.metadata.get("json")
        name = file.path.rsplit("!", 1)[-1]
        if name.endswith("custom_generate/generate.py"):
            message = "replaces how the model generates: it runs with trust_remote_code"
            findings.append(found("code.remote-code", file.path, "file", message))
        if isinstance(data, dict | list) and not name.endswith((".index.json", "/tokenizer.json", "/vocab.json")):
            called |= set(_settings(file, data, paths, findings))
        if isinstance(data, dict) and name.rsplit("/", 1)[-1] == "package.json":
            _package(file, data, findings)
    for file in files:
        name = file.path.rsplit("!", 1)[-1].rsplit("/", 1)[-1]
        if file.content is None:
            continue
        text = file.content.decode("utf-8", "replace")
        if name.endswith(".pth"):
            _path_file(file, text, findings)
        elif (
            (file.format == "python" or name.endswith(".py"))
            and "!code/" not in file.path
            and "/code/__torch__" not in file.path
        ):
            _python(file, name, text, name.removesuffix(".py") in called, findings, left)
        elif re.fullmatch(r"(?:[\w-]*requirements[\w-]*|constraints)\.(?:txt|in)|(?:environment|conda)\.ya?ml", name):
            _requirements(file, text, findings)
        elif name in ("pyproject.toml", "setup.cfg"):
            _build(file, text, findings)
        elif file.format == "script" or name in ("Dockerfile", "Makefile") or text.startswith("#!"):
            message = "a script or build file beside the model; loaders do not run it"
            findings.append(found("code.script", file.path, "file", message))
        elif name.endswith(".ipynb"):
            findings.append(
                found("code.script", file.path, "file", "a notebook beside the model; loaders do not run it")
            )
    return findings, left


def _settings(file: Examined, data: Any, paths: Set[str], findings: list[Finding]) -> Iterator[str]:
    """Say which settings run code; yield the names of the modules that they call."""

    def say(rule: str, where: str, message: str) -> None:
        findings.append(found(f"code.{rule}", file.path, where, message))

    for where, key, value in _walk(data):
        if key == "auto_map" and isinstance(value, str):
            value = {"the model": value}
        if key == "auto_map" and isinstance(value, dict):
            for kind, targets in value.items():
                for target in targets if isinstance(targets, list) else [targets]:
                    if isinstance(target, str):
                        repository, _, place = target.rpartition("--")
                        whose = f" of the repository {repository!r}" if repository else ""
                        say("remote-code", where, f"{kind} is the class {place}{whose}: it runs with trust_remote_code")
                        if not repository:
                            yield place.split(".")[0]
        elif key in ("custom_pipelines", "custom_generate", "custom_pipeline") and value:
            say("remote-code", where, f"{key} names code that runs with trust_remote_code")
        elif key == "trust_remote_code" and value is True:
            say("trust", where, "asks loaders to run the repository's code")
        elif key == "auto_mapping" and isinstance(value, dict) and value.get("parent_library"):
            module = str(value["parent_library"])
            if not module.startswith(("transformers", "diffusers", "sentence_transformers")):
                say("remote-code", where, f"the adapter imports {module!r}")
        elif key == "type" and file.path.endswith("modules.json") and isinstance(value, str) and "." in value:
            if value.startswith("sentence_transformers."):
                continue
            say("remote-code", where, f"the module {value!r} runs with trust_remote_code")
    folder, _, name = file.path.rpartition("/")
    if name == "model_index.json" and isinstance(data, dict):
        folder = f"{folder}/" if folder else ""
        for name, value in data.items():
            if not isinstance(value, list) or len(value) != 2 or not isinstance(value[0], str):
                continue
            if name == "_class_name":
                say("remote-code", name, f"the pipeline {str(value[1])[:80]!r} is code of the repository itself")
                yield value[0]
            elif value[0] == name or {f"{folder}{name}/{value[0]}.py", f"{folder}{value[0]}.py"} & paths:
                say("remote-code", name, f"the part {name!r} is code of the repository itself")
                yield value[0]


def _walk(data: Any) -> Iterator[tuple[str, str, Any]]:
    left: list[tuple[str, Any]] = [("", data)]
    steps = 0
    while left and steps < 50_000:
        where, node = left.pop()
        steps += 1
        if isinstance(node, dict):
            for key, value in node.items():
                place = f"{where}.{key}".lstrip(".")[:200]
                yield place, str(key), value
                if isinstance(value, dict | list):
                    left.append((place, value))
        elif isinstance(node, list):
            left += [(f"{where}[{i}]", value) for i, value in enumerate(node[:1000]) if isinstance(value, dict | list)]


def _python(
    file: Examined, name: str, text: str, called: bool, findings: list[Finding], left: list[NotExamined]
) -> None:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        findings.append(found("code.unreadable", file.path, "file", "Python that cannot be read"))
        left.append(NotExamined(file.path, "Python that cannot be read"))
        return
    acts = dict(_acts(tree))
    if turning := _TURNING.search(text):
        line = text.count("\n", 0, turning.start()) + 1
        acts[f"U+{ord(turning[0]):04X}: reaches for the reader's eyes, what is shown is not what runs"] = line
    when = _SELF_STARTING.get(name)
    runs = f", and runs {when}" if when else ", and is named by the settings" if called else ""
    serious = {what: line for what, line in acts.items() if not what.startswith(tuple(_HIDING))}
    hides = any(what.startswith(tuple(_HIDING)) for what in acts) and any(
        what.startswith(("exec", "eval", "compile")) for what in acts
    )
    loaded = called or when or _LOADED.search(name) or "custom_generate/" in file.path
    for what, line in (acts if hides else serious).items():
        bad = any(word in what for word in _WORST)
        severity = None if loaded else Severity.MEDIUM if bad else Severity.LOW
        said = runs if loaded else "; nothing here would run it"
        findings.append(found("code.acts", file.path, f"line {line}", f"{what}{said}", severity=severity))
    if not acts:
        rule = "code.starts" if when else "code.file"
        findings.append(found(rule, file.path, "file", f"Python code comes with the model{runs}"))


def _acts(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield (what, line) for what reaches beyond computing, called or handed on, names resolved through imports and plain assignments."""
    names = _names(tree)

    def resolved(node: ast.AST) -> str:
        head, _, rest = _dotted(node).partition(".")
        full = names.get(head, head) + (f".{rest}" if rest else "")
        return full.removeprefix("builtins.")

    torch_loads: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            torch_loads |= set() if _loads_pickle(node, resolved) else {node.func}
            if resolved(node.func) == "getattr" and node.args and resolved(node.args[0]) in _LOOKED_UP:
                yield f"{resolved(node.args[0])}: looks up a part of it by name", node.lineno
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in _INNER_ATTRIBUTES:
            yield f"{node.attr}: reaches for the inside of Python", node.lineno
        elif isinstance(node, ast.Constant) and node.value == "__builtins__":
            yield "__builtins__: reaches for the inside of Python", node.lineno
        elif (
            isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and resolved(node.value) == "sys.modules"
        ):
            if isinstance(node.slice, ast.Constant):
                yield "sys.modules: looks up a module by name", node.lineno
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            full = resolved(node)
            if full == "torch.load" and node not in torch_loads:
                yield "torch.load: loads a pickle", node.lineno
            elif full in _ACTING:
                yield f"{full}: {_ACTING[full]}", node.lineno
            else:
                for start, does in [
                    *_ACTING_STARTS.items(),
                    *((f"{module}.", does) for module, does in _ACTING_MODULES.items()),
                ]:
                    if full.startswith(start):
                        yield f"{full}: {does}", node.lineno


def _loads_pickle(node: ast.Call, resolved: Callable[[ast.AST], str]) -> bool:
    """Whether this is a call of torch.load that may run code. It may not with weights_only=True."""
    if resolved(node.func) != "torch.load":
        return False
    return not any(
        each.arg == "weights_only" and isinstance(each.value, ast.Constant) and each.value.value is True
        for each in node.keywords
    )


def _names(tree: ast.AST) -> dict[str, str]:
    """Return what each imported name, and each name that is only another's, stands for."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[(alias.asname or alias.name).split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def _dotted(node: ast.AST) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        return ".".join([node.id, *reversed(parts)])
    return ""


def _path_file(file: Examined, text: str, findings: list[Finding]) -> None:
    """Python runs the lines of .pth files that begin with import."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(("import ", "import\t")):
            message = "a line that Python runs whenever it starts, if the file lies among its packages"
            findings.append(found("code.starts", file.path, f"line {number}", message))
            return


def _requirements(file: Examined, text: str, findings: list[Finding]) -> None:
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split(" #")[0].strip().removeprefix("- ")
        if line.startswith("#"):
            continue
        if re.search(
            r"^(?:-e|--editable)\b|\bgit\+|\bhg\+|\bsvn\+|https?://|^--?(?:index-url|extra-index-url|find-links|trusted-host|i|f)\b|^file:|@ ",
            line,
        ):
            message = f"installs from a place of its own: {line[:120]}"
            findings.append(found("code.requirement", file.path, f"line {number}", message))


def _build(file: Examined, text: str, findings: list[Finding]) -> None:
    if re.search(
        r"cmdclass|build-backend\s*=\s*[\"'](?!(?:setuptools|hatchling|flit|poetry|pdm|maturin|scikit_build))|backend-path",
        text,
    ):
        findings.append(
            found(
                "code.starts", file.path, "file", "a build step of its own, which runs when the directory is installed"
            )
        )
    if place := re.search(r"[\"'][\w\[\].-]+ *@ *(?:https?|git\+\w+|file):[^\"']*[\"']", text):
        message = f"installs from a place of its own: {place[0][:120]}"
        findings.append(found("code.requirement", file.path, "dependencies", message))


def _package(file: Examined, data: dict[str, Any], findings: list[Finding]) -> None:
    scripts = data.get("scripts")
    for name in ("preinstall", "install", "postinstall", "prepare"):
        if isinstance(scripts, dict) and name in scripts:
            findings.append(found("code.starts", file.path, name, "a script that runs when the package is installed"))
