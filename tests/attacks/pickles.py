"""Pickles: every way that we know to name a callable, to call it, and to hide that from a reader. Payloads are inert: a
harmless function's name or the string "inert" as argument, and nothing is ever loaded."""

from __future__ import annotations

import bz2
import collections
import datetime
import decimal
import gzip
import io
import lzma
import marshal
import pathlib
import pickle
import struct
import uuid
import zlib
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from tests.attacks.case import Case

RUNS = ("pickle.runs-code",)


def short(text: str) -> bytes:
    """A SHORT_BINUNICODE."""
    data = text.encode()
    return b"\x8c" + bytes([len(data)]) + data


def stack_global(module: str, name: str) -> bytes:
    """A global by STACK_GLOBAL."""
    return short(module) + short(name) + b"\x93"


def call(module: str, name: str, *arguments: bytes, protocol: int = 4) -> bytes:
    """A whole pickle that calls a global with arguments (opcodes that push one object each)."""
    given = arguments or (b"S'inert'\n",)
    what = stack_global(module, name) if protocol >= 4 else f"c{module}\n{name}\n".encode()
    head = bytes([0x80, protocol]) if protocol >= 2 else b""
    return head + what + b"(" + b"".join(given) + b"tR."


class _Reduced:
    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, ...]:
        return self.call


# What a scanner must know to be dangerous: module, name. Whatever it is, no loader of weights needs it.
CALLABLES = [
    "builtins.eval",
    "builtins.exec",
    "builtins.compile",
    "builtins.getattr",
    "builtins.__import__",
    "builtins.open",
    "builtins.globals",
    "builtins.breakpoint",
    "builtins.setattr",
    "builtins.delattr",
    "builtins.vars",
    "builtins.input",
    "builtins.help",
    "builtins.memoryview",
    "builtins.locals",
    "builtins.map",
    "builtins.filter",
    "builtins.apply",
    "__builtin__.eval",
    "__builtin__.exec",
    "__builtin__.file",
    "__builtin__.apply",
    "__builtin__.execfile",
    "os.system",
    "posix.system",
    "nt.system",
    "os.popen",
    "os.execv",
    "os.spawnv",
    "os.remove",
    "os.unlink",
    "os.putenv",
    "os.kill",
    "posix.fork",
    "subprocess.run",
    "subprocess.Popen",
    "subprocess.check_output",
    "subprocess.getoutput",
    "_posixsubprocess.fork_exec",
    "sys.exit",
    "sys.setprofile",
    "sys.settrace",
    "sys.modules",
    "http.client.HTTPConnection",
    "httplib.HTTPSConnection",
    "requests.get",
    "requests.api.post",
    "requests.sessions.Session",
    "aiohttp.ClientSession",
    "aiohttp.client.ClientSession",
    "socket.create_connection",
    "socket.socket",
    "socket.gethostbyname",
    "urllib.request.urlopen",
    "urllib.urlopen",
    "urllib2.urlopen",
    "ssl.get_server_certificate",
    "smtplib.SMTP",
    "ftplib.FTP",
    "telnetlib.Telnet",
    "imaplib.IMAP4_stream",
    "poplib.POP3",
    "nntplib.NNTP",
    "xmlrpc.client.ServerProxy",
    "webbrowser.open",
    "antigravity.geohash",
    "operator.attrgetter",
    "operator.methodcaller",
    "operator.itemgetter",
    "_operator.attrgetter",
    "_operator.methodcaller",
    "pydoc.locate",
    "pydoc.pipepager",
    "pydoc.ErrorDuringImport",
    "importlib.import_module",
    "importlib.util.spec_from_file_location",
    "imp.load_source",
    "pkgutil.resolve_name",
    "pickle.loads",
    "pickle.load",
    "_pickle.loads",
    "_pickle.Unpickler",
    "cPickle.loads",
    "dill.loads",
    "dill._dill.loads",
    "cloudpickle.loads",
    "cloudpickle.cloudpickle._make_function",
    "cloudpickle.cloudpickle._builtin_type",
    "cloudpickle.cloudpickle.subimport",
    "dill._dill._create_function",
    "dill._dill._import_module",
    "dill._dill._create_code",
    "joblib.load",
    "numpy.load",
    "pandas.read_pickle",
    "torch.load",
    "torch.serialization.load",
    "torch.hub.load",
    "torch.utils.cpp_extension.load",
    "torch.package.PackageImporter",
    "torch._inductor.codecache.compile_file",
    "torch.jit.load",
    "torch.jit.unsupported_tensor_ops.execWrapper",
    "torch.utils.bottleneck.__main__.run_cprofile",
    "torch.utils.bottleneck.__main__.run_autograd_prof",
    "torch.utils.data.datapipes.utils.decoder.basichandlers",
    "torch.utils._config_module.ConfigModule.load_config",
    "torch.utils.collect_env.run",
    "torch.fx.experimental.symbolic_shapes.ShapeEnv.evaluate_guards_expression",
    "torch.distributed.run.main",
    "torch.multiprocessing.spawn",
    "torch._dynamo.guards.GuardBuilder.get",
    "numpy.testing._private.utils.runstring",
    "numpy.f2py.crackfortran.getlincoef",
    "numpy.f2py.crackfortran.param_eval",
    "numpy.f2py.crackfortran._eval_length",
    "numpy.f2py.diagnose.run",
    "numpy.distutils.exec_command.exec_command",
    "bdb.Bdb",
    "bdb.Bdb.run",
    "pdb.run",
    "pdb.Pdb",
    "pty.spawn",
    "runpy.run_path",
    "runpy._run_code",
    "runpy.run_module",
    "cProfile.run",
    "cProfile.runctx",
    "profile.run",
    "profile.Profile.run",
    "code.interact",
    "code.InteractiveInterpreter",
    "code.InteractiveInterpreter.runcode",
    "codeop.compile_command",
    "ctypes.CDLL",
    "ctypes.cdll",
    "ctypes.pythonapi",
    "_ctypes.dlopen",
    "ctypes.util.find_library",
    "marshal.loads",
    "types.CodeType",
    "types.FunctionType",
    "multiprocessing.Process",
    "multiprocessing.util.spawnv_passfds",
    "multiprocessing.context.Process",
    "multiprocessing.pool.Pool",
    "concurrent.futures.ThreadPoolExecutor",
    "asyncio.create_subprocess_shell",
    "asyncio.unix_events._UnixSubprocessTransport._start",
    "asyncio.subprocess.create_subprocess_exec",
    "uuid._get_command_stdout",
    "_aix_support._read_cmd_output",
    "_osx_support._read_output",
    "_osx_support._find_build_tool",
    "_pyrepl.pager.pipe_pager",
    "_pyrepl.pager.pipepager",
    "test.support.script_helper.assert_python_ok",
    "test.support.os_helper.unlink",
    "_xxsubinterpreters.run_string",
    "_interpreters.run_string",
    "_testcapi.run_in_subinterp",
    "distutils.file_util.write_file",
    "distutils.file_util.copy_file",
    "distutils.spawn.spawn",
    "setuptools.sandbox.run_setup",
    "pip.main",
    "pip._internal.main",
    "ensurepip._run_pip",
    "venv.create",
    "idlelib.pyshell.ModifiedInterpreter.runcode",
    "idlelib.autocomplete.AutoComplete.get_entity",
    "idlelib.calltip.Calltip.fetch_tip",
    "idlelib.debugobj.ObjectTreeItem.SetText",
    "idlelib.run.Executive.runcode",
    "lib2to3.pgen2.grammar.Grammar.loads",
    "lib2to3.pgen2.pgen.ParserGenerator.make_label",
    "doctest.debug_script",
    "doctest.testfile",
    "trace.Trace.run",
    "trace.Trace.runctx",
    "timeit.timeit",
    "timeit.Timer.timeit",
    "tkinter.Tcl",
    "zipimport.zipimporter",
    "shutil.rmtree",
    "shutil.copyfile",
    "shutil.move",
    "tempfile.NamedTemporaryFile",
    "io.FileIO",
    "io.open",
    "_io.FileIO",
    "pathlib.Path.write_text",
    "pathlib.Path.unlink",
    "logging.FileHandler",
    "logging.config.listen",
    "logging.config.dictConfig",
    "logging.handlers.SocketHandler",
    "fileinput.input",
    "codecs.open",
    "linecache.getlines",
    "glob.glob",
    "functools.reduce",
    "itertools.starmap",
    "copyreg.add_extension",
    "atexit.register",
    "signal.signal",
    "gc.get_objects",
    "inspect.getattr_static",
    "threading.Thread",
    "_thread.start_new_thread",
    "sched.scheduler",
    "site.addsitedir",
    "sqlite3.connect",
    "sqlite3.dbapi2.connect",
    "ast.literal_eval",
    "platform.popen",
    "commands.getoutput",
    "cgitb.handler",
    "bsddb.hashopen",
    "turtle.config_dict",
    "weakref.finalize",
    "commctrl.run",
    "django.core.management.call_command",
    "jinja2.Template",
    "yaml.load",
    "yaml.unsafe_load",
    "sympy.sympify",
    "pandas.eval",
    "fickling.hook.activate_safe_ml_environment",
    "fickling.hook.run_hook",
    "fickling.hook.deactivate_safe_ml_environment",
    "picklescan.scanner.scan_url",
    "nltk.data.load",
    "keras.models.load_model",
    "tensorflow.io.write_file",
    "sklearn.utils._testing.run_process",
    "lightning.pytorch.trainer.Trainer",
    "transformers.pipeline",
    "transformers.AutoModel.from_pretrained",
    "huggingface_hub.hf_hub_download",
]


def _reach() -> Iterator[Case]:
    """Every callable, by STACK_GLOBAL; and how a global may be written otherwise."""
    for dotted in CALLABLES:
        parts = dotted.split(".")
        # The module is what comes before the first capital or the last part: either way of splitting must be seen.
        at = next((i for i, part in enumerate(parts) if i and part[:1].isupper()), len(parts) - 1)
        module, name = ".".join(parts[:at]), ".".join(parts[at:])
        yield Case(f"calls {dotted}", {"x.pkl": call(module, name)}, ("pickle.*",))
    for protocol in range(6):
        for function, argument in ((eval, "'inert'"), (exec, "'inert'"), (pathlib.os.system, "inert")):  # type: ignore[attr-defined]
            data = pickle.dumps(_Reduced(function, argument), protocol)
            yield Case(f"reduce {function.__name__} at protocol {protocol}", {"x.pkl": data}, RUNS)
    yield Case("python 2's name", {"x.pkl": b"c__builtin__\neval\n(S'inert'\ntR."}, RUNS)
    yield Case("wrong extension", {"notes.txt": call("os", "system")}, RUNS)
    yield Case("named as weights", {"model.safetensors": call("os", "system")}, RUNS)
    yield Case("named as an image", {"cat.png": call("os", "system", protocol=0)}, RUNS)
    yield Case("no extension", {"weights": call("os", "system", protocol=2)}, RUNS)


def _opcodes() -> Iterator[Case]:
    """Every opcode that resolves or calls."""
    yield Case("INST", {"x.pkl": b"(S'inert'\nios\nsystem\n."}, RUNS)
    yield Case("INST of exec", {"x.pkl": b"(S'inert'\ni__builtin__\nexec\n."}, RUNS)
    yield Case("OBJ", {"x.pkl": b"(cos\nsystem\nS'inert'\no."}, RUNS)
    yield Case("OBJ whose result is popped", {"x.pkl": b"(cos\nsystem\nS'inert'\no0N."}, RUNS)
    yield Case("REDUCE whose result is popped", {"x.pkl": b"cos\nsystem\n(S'inert'\ntR0]."}, RUNS)
    yield Case("REDUCE popped with its mark", {"x.pkl": b"(cos\nsystem\n(S'inert'\ntR1}."}, RUNS)
    yield Case("NEWOBJ", {"x.pkl": b"\x80\x02csubprocess\nPopen\n(S'inert'\nt\x81."}, RUNS)
    new_ex = b"\x80\x04" + stack_global("subprocess", "Popen") + b"(S'inert'\nt}\x92."
    yield Case("NEWOBJ_EX", {"x.pkl": new_ex}, RUNS)
    yield Case("EXT1", {"x.pkl": b"\x80\x02\x82\x01(S'inert'\ntR."}, ("pickle.extension",))
    yield Case("EXT2", {"x.pkl": b"\x80\x02\x83\x01\x01(S'inert'\ntR."}, ("pickle.extension",))
    yield Case("EXT4", {"x.pkl": b"\x80\x02\x84\x01\x00\x00\x00(S'inert'\ntR."}, ("pickle.extension",))
    imported = b"\x80\x02cos\nsystem\n."
    yield Case("a global that is only imported", {"x.pkl": imported}, ("pickle.*",))
    yield Case("a module that nobody knows", {"x.pkl": call("totally_unknown_module", "thing")}, ("pickle.*",))
    yield Case(
        "imports of an unknown module only", {"x.pkl": b"\x80\x02cevil_pkg\nThing\n."}, ("pickle.unknown-global",)
    )
    build = b"\x80\x02ccollections\nOrderedDict\n}S'__setstate__'\ncos\nsystem\nsb."
    yield Case("BUILD onto a class", {"x.pkl": build}, ("pickle.build-on-global",))
    build = b"\x80\x02ccollections\nOrderedDict\n)\x81}S'x'\ncos\nsystem\n(S'inert'\ntRsb."
    yield Case("call inside a BUILD's state", {"x.pkl": build}, RUNS)
    chain = b"\x80\x02" + b"cos\nsystem\n" + b"\x85R" + b"."
    yield Case("TUPLE1 of nothing", {"x.pkl": chain}, ("pickle.*",))
    yield Case("persistent id before a call", {"x.pkl": b"\x80\x02S'id'\nQ0cos\nsystem\n(S'inert'\ntR."}, RUNS)
    yield Case("PERSID", {"x.pkl": b"Pinert\n0cos\nsystem\n(S'inert'\ntR."}, RUNS)
    chained = b"\x80\x02c__builtin__\ngetattr\n(cos\nsystem\nS'x'\ntRS'y'\n\x85R."
    yield Case("call of a call's result", {"x.pkl": chained}, ("pickle.calls-result",))
    yield Case("APPENDS onto what a call gave", {"x.pkl": b"\x80\x02cevil\nL\n)R(K\x01e."}, ("pickle.*",))
    byte8 = b"\x80\x05\x96\x01\x00\x00\x00\x00\x00\x00\x00x\x98\x97"
    yield Case("protocol 5 buffers before a call", {"x.pkl": byte8 + call("os", "system")[2:]}, ("pickle.*",))


def _memo() -> Iterator[Case]:
    """The memo and the stack, used to hide which name is resolved."""
    put = short("os") + b"\x94" + short("system") + b"\x94" + b"00" + b"h\x00h\x01\x93"
    yield Case("names from the memo", {"x.pkl": b"\x80\x04" + put + b"(S'inert'\ntR."}, RUNS)
    text = b"S'os'\np0\n0S'system'\np1\n0g0\ng1\n\x93(S'inert'\ntR."
    yield Case("names by PUT and GET", {"x.pkl": b"\x80\x04" + text}, RUNS)
    long_memo = short("os") + b"r\xff\xff\x00\x00" + b"0" + short("system") + b"q\x07" + b"0"
    long_memo += b"j\xff\xff\x00\x00h\x07\x93(S'inert'\ntR."
    yield Case("LONG_BINPUT and LONG_BINGET", {"x.pkl": b"\x80\x04" + long_memo}, RUNS)
    over = short("collections") + b"\x94" + b"0" + short("os") + b"q\x00" + b"0h\x00" + short("system") + b"\x93)R."
    yield Case("a memo entry that is overwritten", {"x.pkl": b"\x80\x04" + over}, RUNS)
    yield Case(
        "DUP of a name", {"x.pkl": b"\x80\x04" + short("system") + b"2" + short("os") + b"0\x93)R."}, ("pickle.*",)
    )
    function = b"cos\nsystem\nq\x010h\x01(S'inert'\ntR."
    yield Case("the function from the memo", {"x.pkl": b"\x80\x02" + function}, RUNS)
    yield Case("a key that the memo lacks", {"x.pkl": b"\x80\x04h\x05" + call("os", "system")[2:]}, ("pickle.*",))
    yield Case(
        "an integer as a module's name",
        {"x.pkl": b"\x80\x04K\x01q\x000h\x00" + short("system") + b"\x93)R."},
        ("pickle.broken",),
    )
    yield Case(
        "a string where a function is called",
        {"x.pkl": b"\x80\x04" + short("os.system") + b"(S'inert'\ntR" + call("os", "system")[2:]},
        ("pickle.*",),
    )
    yield Case("module's name in UNICODE", {"x.pkl": b"\x80\x04Vos\nVsystem\n\x93(S'inert'\ntR."}, RUNS)
    yield Case("module's name escaped", {"x.pkl": b"\x80\x04V\\u006fs\nVsy\\u0073tem\n\x93(S'inert'\ntR."}, RUNS)
    yield Case(
        "module's name in BINUNICODE8",
        {"x.pkl": b"\x80\x04\x8d" + struct.pack("<Q", 2) + b"os" + short("system") + b"\x93)R."},
        RUNS,
    )
    yield Case(
        "module's name in STRING escapes", {"x.pkl": b"\x80\x04S'\\x6fs'\nS'syst\\145m'\n\x93(S'inert'\ntR."}, RUNS
    )
    built = b"\x80\x04c__builtin__\nstr\n" + short("os") + b"\x85R" + short("system") + b"\x93)R."
    yield Case("module's name made by a call", {"x.pkl": built}, ("pickle.computed-global",))
    yield Case("in a list's items", {"x.pkl": b"\x80\x02](K\x01cos\nsystem\n(S'inert'\ntRe."}, RUNS)
    yield Case("in a dict's key", {"x.pkl": b"\x80\x02}(cos\nsystem\n(S'inert'\ntRK\x01u."}, RUNS)
    yield Case("in a frozen set", {"x.pkl": b"\x80\x04(cos\nsystem\n(S'inert'\ntR\x91."}, RUNS)


def _indirection() -> Iterator[Case]:
    """Reaching a function through another."""
    yield Case("dotted name", {"x.pkl": call("builtins", "eval.__call__")}, ("pickle.*",))
    yield Case(
        "dotted name through an allowed module", {"x.pkl": call("collections", "abc.sys.modules")}, ("pickle.*",)
    )
    yield Case("dotted name through the library", {"x.pkl": call("logging", "os.system")}, ("pickle.*",))
    yield Case("dotted name through torch", {"x.pkl": call("torch", "os.system")}, ("pickle.*",))
    yield Case("dotted name through numpy", {"x.pkl": call("numpy", "os.system")}, ("pickle.*",))
    yield Case(
        "a method of an allowed class",
        {"x.pkl": call("collections", "OrderedDict.__init__.__globals__")},
        ("pickle.*",),
    )
    yield Case("subclasses", {"x.pkl": call("builtins", "object.__subclasses__")}, ("pickle.*",))
    yield Case(
        "getattr on an allowed module",
        {"x.pkl": b"\x80\x02c__builtin__\ngetattr\ncnumpy\nndarray\nS'tofile'\n\x86R."},
        ("pickle.*",),
    )
    modules = b"\x80\x02csys\nmodules\nS'sys'\ncos\nsystem\ns."
    yield Case("sys.modules overwritten", {"x.pkl": modules}, ("pickle.*",))
    inner = call("os", "system")
    nested = call("_pickle", "loads", b"B" + struct.pack("<I", len(inner)) + inner)
    yield Case("pickle in a pickle", {"x.pkl": nested}, RUNS)
    code = marshal.dumps(compile("'inert'", "x", "eval"))
    yield Case("marshalled code", {"x.pkl": call("marshal", "loads", b"B" + struct.pack("<I", len(code)) + code)}, RUNS)
    yield Case(
        "torch's own loader with arguments",
        {"x.pkl": b"\x80\x04" + stack_global("torch", "load") + b"(S'inert'\nt}S'weights_only'\n\x89s\x92."},
        ("pickle.*",),
    )
    sour = b"\x80\x02c__builtin__\ngetattr\n(c__builtin__\n__import__\n(S'os'\ntRS'system'\ntR(S'inert'\ntR."
    yield Case("a chain of builtins", {"x.pkl": sour}, RUNS)
    yield Case(
        "a scanner's import hook is switched off", {"x.pkl": call("fickling.hook", "remove_hook")}, ("pickle.*",)
    )


def _broken() -> Iterator[Case]:
    """A payload has run before a loader meets what is broken behind it."""
    payload = call("os", "system")[:-1]
    yield Case("no STOP", {"x.pkl": payload}, RUNS)
    yield Case("truncated string behind", {"x.pkl": payload + b"B\xff\xff\x00\x00ab"}, RUNS)
    yield Case("unknown opcode behind", {"x.pkl": payload + b"\xff\xfe."}, RUNS)
    yield Case("stack underflow behind", {"x.pkl": payload + b"000000."}, RUNS)
    yield Case("a missing memo key behind", {"x.pkl": payload + b"h\x63."}, RUNS)
    yield Case("invalid UTF-8 in a name", {"x.pkl": b"\x80\x02cos\xff\xfe\nsystem\n(S'inert'\ntR."}, ("pickle.*",))
    yield Case("invalid UTF-8 behind", {"x.pkl": payload + b"cos\xff\nx\n."}, RUNS)
    yield Case("a huge protocol", {"x.pkl": b"\x80\x63" + payload[2:] + b"."}, RUNS)
    yield Case("two pickles, the second calls", {"x.pkl": pickle.dumps({"a": 1}) + call("os", "system")}, RUNS)
    yield Case("five pickles, the last calls", {"x.pkl": pickle.dumps([1]) * 4 + call("os", "system")}, RUNS)
    yield Case(
        "ordinary, then bytes", {"x.pkl": pickle.dumps({"a": 1}) + b"\x00" * 64 + b"hidden"}, ("pickle.hidden-bytes",)
    )
    yield Case(
        "ordinary, then bytes and a pickle",
        {"x.pkl": pickle.dumps({"a": 1}) + b"\x00" * 8 + call("os", "system")},
        ("pickle.hidden-bytes",),
    )
    yield Case("only truncated", {"x.pkl": pickle.dumps({"a": [1, 2, 3]}, 4)[:-4]}, ("pickle.broken",))
    frame = b"\x80\x04\x95" + struct.pack("<Q", 5) + call("os", "system")[2:]
    yield Case("a frame that is too short", {"x.pkl": frame}, RUNS)
    frame = b"\x80\x04\x95" + struct.pack("<Q", 1 << 60) + call("os", "system")[2:]
    yield Case("a frame beyond the end", {"x.pkl": frame}, RUNS)
    ordinary = pickle.dumps({"a": "b" * 20}, 4)
    lie = ordinary[:3] + struct.pack("<Q", len(ordinary) - 11 - 9) + ordinary[11:]
    yield Case("a frame that an opcode straddles", {"x.pkl": lie}, ("pickle.frame",))


def _bombs() -> Iterator[Case]:
    """Small files that cost much."""
    laughs = (
        b"\x80\x04]q\x00" + b"".join(b"](" + bytes([0x68, i]) * 10 + b"eq" + bytes([i + 1]) for i in range(30)) + b"."
    )
    yield Case("a billion laughs", {"x.pkl": laughs}, ("pickle.too-much-work",))
    yield Case("DUP a million times", {"x.pkl": b"\x80\x04](" + b"K\x01" + b"2" * 1_000_000 + b"e."})
    yield Case("a million marks", {"x.pkl": b"\x80\x02" + b"(" * 1_000_000 + call("os", "system")[2:]}, RUNS)
    deep = b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b"."
    yield Case("a deep list", {"x.pkl": deep})
    yield Case("a count of 2^60", {"x.pkl": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b"x."}, ("pickle.broken",))
    yield Case("LONG4 of 2^31", {"x.pkl": b"\x80\x04\x8b" + struct.pack("<i", -5) + b"x."}, ("pickle.broken",))
    yield Case("memo index of 2^31", {"x.pkl": b"\x80\x04]r\xff\xff\xff\x7f" + b"cos\nsystem\n)R."}, RUNS)
    long = b"S'" + b"a" * 200_000 + b"'\n0"
    yield Case("a long line first", {"x.pkl": long + call("os", "system", protocol=0)}, RUNS)
    counted = b"X" + struct.pack("<I", 500_000) + b"a" * 500_000 + b"0"
    yield Case("a long string first", {"x.pkl": counted + call("os", "system", protocol=0)}, RUNS)
    yield Case("many constants first", {"x.pkl": b"N0" * 20_000 + call("os", "system", protocol=0)}, RUNS)
    odd = call("os", "system", protocol=0)[:-1] + b"0ca b\nc d\n."
    yield Case("an odd name behind", {"x.pkl": odd}, RUNS)
    yield Case(
        "digits without end",
        {"x.pkl": b"I" + b"9" * 100_000 + b"\n0" + call("os", "system", protocol=0)},
        ("pickle.*",),
    )


def _wrapped() -> Iterator[Case]:
    """In what loaders unpack by themselves."""
    inner = call("os", "system")
    wrappers = {
        "gz": gzip.compress(inner),
        "bz2": bz2.compress(inner),
        "xz": lzma.compress(inner),
        "zlib": zlib.compress(inner),
    }
    wrappers["lzma"] = lzma.compress(inner, format=lzma.FORMAT_ALONE)
    for extension, data in wrappers.items():
        yield Case(f"in {extension}", {f"x.pkl.{extension}": data}, RUNS)
    yield Case("gz twice", {"x.joblib": gzip.compress(gzip.compress(inner))}, RUNS)
    yield Case("the second member of a gz", {"x.pkl.gz": gzip.compress(b"") + gzip.compress(inner)}, RUNS)


def _ordinary() -> Iterator[Case]:
    objects = {
        "list": [1, 2.5, "a", None, True],
        "dict": {"a": [1] * 300, "b": {"c": (1, 2)}},
        "mentions": {"note": "os.system('x') is how", "raw": b"cos\nsystem\n(S'x'\ntR."},
        "ordered": collections.OrderedDict(a=1),
        "default": collections.defaultdict(list, a=[1]),
        "counter": collections.Counter("abc"),
        "times": [datetime.datetime(2024, 1, 2), datetime.timedelta(1), datetime.date(2024, 1, 2)],
        "numbers": [decimal.Decimal("1.2"), Fraction(1, 3), 2**200, 1 + 2j, -(2**70)],
        "ids": [uuid.UUID(int=5), pathlib.PurePosixPath("a/b")],
        "sets": [{1, 2}, frozenset("ab"), bytearray(b"x"), range(3), slice(1, 2)],
        "array": np.arange(100.0).reshape(10, 10),
        "large array": np.arange(100_000.0),
        "long text": "a line\n" * 50_000,
        "words": np.array(["a", "bc"], dtype=object),
        "scalars": [np.float64(3), np.int8(1), np.bool_(True), np.datetime64("2024-01-01")],
        "random state": np.random.RandomState(1),
        "generator": np.random.default_rng(1),
        "structured": np.zeros(3, dtype=[("a", "f4"), ("b", "i8")]),
    }
    for name, value in objects.items():
        for protocol in range(6):
            yield Case(f"{name} at protocol {protocol}", {"x.pkl": pickle.dumps(value, protocol)})
    yield Case("dict without extension", {"state": pickle.dumps({"a": 1})})
    yield Case("several in a row", {"x.pkl": pickle.dumps({"a": 1}) + pickle.dumps([2], 2)})
    yield Case("gz of a dict", {"x.pkl.gz": gzip.compress(pickle.dumps({"a": 1}))})
    yield Case("joblib of arrays", {"x.joblib": _joblib({"a": np.arange(1000.0), "b": np.zeros((3, 4), "f4")})})
    yield Case("joblib compressed", {"x.joblib": _joblib({"a": np.arange(1000.0)}, compress=3)})
    yield Case("joblib xz", {"x.joblib": _joblib({"a": np.arange(10)}, compress=("xz", 3))})
    yield from _estimators()


def _joblib(value: object, **options: object) -> bytes:
    import joblib

    buffer = io.BytesIO()
    joblib.dump(value, buffer, **options)
    return buffer.getvalue()


def _estimators() -> Iterator[Case]:
    from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    x, y = np.random.default_rng(1).random((60, 4)), np.arange(60) % 2
    for estimator in (
        RandomForestClassifier(5),
        GradientBoostingClassifier(n_estimators=3),
        make_pipeline(StandardScaler(), LogisticRegression()),
        KNeighborsClassifier(algorithm="kd_tree"),
        SVC(),
    ):
        estimator.fit(x, y)
        yield Case(f"sklearn {type(estimator).__name__}", {"model.pkl": pickle.dumps(estimator)})
        yield Case(f"sklearn {type(estimator).__name__} by joblib", {"model.joblib": _joblib(estimator)})
    words = TfidfVectorizer().fit(["a b c dd ee", "ff gg"])
    yield Case("sklearn TfidfVectorizer", {"vectors.pkl": pickle.dumps(words)})


def cases() -> Iterator[Case]:
    """Every case."""
    for part in (_reach, _opcodes, _memo, _indirection, _broken, _bombs, _wrapped, _ordinary):
        yield from part()
