"""Commands in processes of their own: what crashes, hangs, or takes no output ends in words, and leaves nothing."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kltheory.cli import supervisor
from kltheory.cli.budget import TimedOut, limited

HEAD = "import os, signal, sys, time\nfrom pathlib import Path\nfrom kltheory.proving.vocabulary import *\n"
TRUE = "    return SameGradient(as_loss(k2), in_reward(k1), POLICY)\n"
SEGFAULT = "import ctypes; ctypes.string_at(0)"
SLEEP_IN_C = "import ctypes; ctypes.PyDLL(None).sleep(100000)"
LONG = ("--timeout", "100000")
"""For what ends by itself: no machine is that slow."""


def theorems(**bodies: str) -> str:
    """A file of theorems by name and what they do when they are built."""
    parts = (f'@theorem()\ndef {name}():\n    """A."""\n    {body}\n{TRUE}' for name, body in bodies.items())
    return HEAD + "\n".join(parts)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    def file(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return file


# --- theorems ---------------------------------------------------------------------------------------------------------
ENDS = {
    "good": ("pass", ""),
    "leaves": ("sys.exit(0)", "SystemExit: 0"),
    "ends": ("os._exit(0)", "could not run: it ended the process (exit status 0)"),
    "crashes": (SEGFAULT, "could not run: it was killed by SIGSEGV"),
    "dies": ("os.kill(os.getpid(), 9)", "could not run: it was killed by SIGKILL, perhaps for want of memory"),
    "closes": ("os.closerange(0, 200)", "could not run: it ended the process (exit status 0)"),
    "raises": ("raise type('Odd', (BaseException,), {})('so')", "Odd: so"),
    "asks_too_much": ("[0] * 10**15", "MemoryError"),
    "forks": ("os.fork()", ""),
    "prints": ("print('noise'); os.write(1, b'noise')", ""),
    "last": ("pass", ""),
}
"""What theorems do when they are built, and the reason in the report; empty for a theorem that is proved."""


def test_a_theorem_costs_itself_only(write, command):
    file = write("hostile.py", theorems(**{name: body for name, (body, _) in ENDS.items()}))
    done = command("prove", file, "-j", 2, "--json", "-", *LONG)
    reports = json.loads(done.stdout)["theorems"]
    assert {r["name"]: r["reason"] for r in reports} == {name: reason for name, (_, reason) in ENDS.items()}
    assert [r["name"] for r in reports] == list(ENDS)
    for r in reports:
        assert r["verdict"] == ("UNDECIDED" if r["reason"] else "PROVED")
        assert r["problems"] == ([r["reason"]] if r["reason"] else [])
    assert done.returncode == 2


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_theorem_that_does_not_end_is_given_up(jobs, write, command):
    swallows = "while True:\n        try: time.sleep(9)\n        except BaseException: pass"
    file = write("loops.py", theorems(loops="while True: pass", in_c=SLEEP_IN_C, swallows=swallows))
    done = command("prove", file, "-j", jobs, "--timeout", "0.5", "--json", "-")
    reports = json.loads(done.stdout)["theorems"]
    assert [r["reason"] for r in reports] == ["could not run: it did not end within 0.5 s; --timeout allows more"] * 3
    assert done.returncode == 2


READ = {
    "while True: pass": (3, "could not run: it did not end within 0.5 s; --timeout allows more\n"),
    "os._exit(0)": (3, "could not run: it ended the process (exit status 0)\n"),
    SEGFAULT: (3, "could not run: it was killed by SIGSEGV\n"),
    "if os.fork() == 0: os.dup2(2, 1)": (0, ""),
}


@pytest.mark.parametrize("body", READ)
def test_a_file_that_is_hostile_when_it_is_read(body, write, command):
    file = write("hostile.py", HEAD + body + "\n" + theorems(good="pass"))
    done = command("list", file, *(("--timeout", "0.5") if "while" in body else LONG))
    assert (done.returncode, done.stderr) == READ[body]
    assert done.stdout.count("good") == (done.returncode == 0)


# --- who is left ------------------------------------------------------------------------------------------------------
def is_alive(process: int) -> bool:
    """Whether it runs: one that nobody has waited for does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except OSError:
        return False


HANGS = {
    "prove": ("loops.py", theorems(loops="Path('pid').write_text(str(os.getpid()))\n    while True: pass")),
    "audit": ("loops.py:f", f"import os\nopen('pid', 'w').write(str(os.getpid()))\n{SLEEP_IN_C}\n"),
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="processes are looked at in /proc")
@pytest.mark.parametrize(
    ("command", "number"),
    [("prove", signal.SIGINT), ("prove", signal.SIGTERM), ("prove", signal.SIGKILL), ("audit", signal.SIGINT)],
)
def test_a_signal_ends_all_of_it(command, number, write, tmp_path):
    argument, text = HANGS[command]
    write("loops.py", text)
    program = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    program += "from kltheory.cli import main; sys.exit(main())"
    call = [sys.executable, "-c", program, command, argument, *LONG]
    with subprocess.Popen(call, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        pid = tmp_path / "pid"
        while not (pid.exists() and pid.read_text(encoding="utf-8")):
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        worker = int(pid.read_text(encoding="utf-8"))
        assert is_alive(worker)
        process.send_signal(number)
        shown = process.communicate()
    killed = number == signal.SIGKILL
    assert process.returncode == (-number if killed else 128 + number)
    assert shown == ("", "" if killed else "Aborted!\n")
    while is_alive(worker):  # it is being killed
        time.sleep(0.02)


# --- every command has a budget ---------------------------------------------------------------------------------------
UNDECIDED = (2, "UNDECIDED: no answer within 1e-06 s; --timeout allows more\n", "")
COULD_NOT_RUN = (3, "", "could not run: it did not end within 1e-06 s; --timeout allows more\n")
BUDGETS = {
    "identify l": UNDECIDED,
    "variance --random 1": UNDECIDED,
    "optimum --reward 1,0 --reference .5,.5 --beta 1": UNDECIDED,
    "sequence": UNDECIDED,
    "table": UNDECIDED,
    "plot table -o x.svg": UNDECIDED,
    "explain k2_as_loss_eq_k1_in_reward": UNDECIDED,
    "list --json": COULD_NOT_RUN,
    "audit losses.py:kl": COULD_NOT_RUN,
    "compare losses.py:kl losses.py:kl": COULD_NOT_RUN,
}


@pytest.mark.parametrize("arguments", BUDGETS)
def test_past_its_budget_a_command_says_so(arguments, command, tmp_path):
    done = command(*arguments.split(), "--timeout", "0.000001", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == BUDGETS[arguments]
    assert list(tmp_path.iterdir()) == []


# --- functions of other people ----------------------------------------------------------------------------------------
LOSS = "import jax\n{}\ndef f(logp, ref_logp):\n    {}\n    return logp - ref_logp\n"
IMPORTED = {
    "os._exit(0)": "it ended the process (exit status 0)",
    SEGFAULT: "it was killed by SIGSEGV",
    "os.kill(os.getpid(), 9)": "it was killed by SIGKILL, perhaps for want of memory",
    "os.killpg(0, 15)": "it was killed by SIGTERM",
    "os.abort()": "it was killed by SIGABRT",
    "os.execv('/bin/true', ['true'])": "it ended the process (exit status 0)",
    "sys.exit(0)": "importing losses.py fails: SystemExit: 0",
    "raise type('Odd', (BaseException,), {})('so')": "the function raises Odd: so",
    "raise KeyboardInterrupt": "the function raises KeyboardInterrupt",
    "bytearray(10**16)": "importing losses.py fails: MemoryError",
    "os.fork()": "it forks, and which of the two processes is meant is not known",
    "os.closerange(1, 2)": "it closed standard output",
    "os.closerange(0, 200)": "it ended the process (exit status 3)",
}


@pytest.mark.parametrize("body", IMPORTED)
def test_a_file_that_spoils_the_process_could_not_run(body, write, command, tmp_path):
    write("losses.py", f"import os, sys\n{body}\n" + LOSS.format("", "pass"))
    done = command("compare", "losses.py:f", "losses.py:f", *LONG, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (3, "", f"could not run: {IMPORTED[body]}\n")


CALLED = {
    "import os; os._exit(0)": "it ended the process (exit status 0)",
    "import os; os.fork()": "it forks, and which of the two processes is meant is not known",
    "import sys; sys.__stdout__.close()": "it closed standard output",
    "import threading, time; threading.Thread(target=time.sleep, args=(10**6,), name='T').start()": "still runs: T",
}


@pytest.mark.parametrize("body", CALLED)
def test_a_function_that_spoils_the_process_could_not_run(body, write, command, tmp_path):
    write("losses.py", LOSS.format("", body))
    done = command("compare", "losses.py:f", "losses.py:f", *LONG, cwd=tmp_path)
    assert done.returncode == 3
    assert "could not run" in done.stdout + done.stderr
    assert CALLED[body] in done.stdout + done.stderr


def test_what_a_function_prints_is_not_in_the_report(write, command, tmp_path):
    write("losses.py", LOSS.format("print('noise')", "import os; print('noise'); os.write(1, b'noise')"))
    done = command("compare", "losses.py:f", "losses.py:f", "--json", *LONG, cwd=tmp_path)
    assert json.loads(done.stdout)["same"] is True
    assert "noise" in done.stderr


# --- where the output goes --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-16"])
def test_what_cannot_be_encoded_is_written_in_words(encoding, command):
    shown = command("identify", "exp(-l)-1+l", env={"PYTHONIOENCODING": encoding}, text=False).stdout.decode(encoding)
    words = "KL(π_ref‖π)" if encoding == "utf-16" else "KL(pi_ref||pi)"
    assert f"descends     {words}\n" in shown


def test_json_that_cannot_be_encoded_is_the_same_json(command):
    shown = command("identify", "exp(-l)-1+l", "--json", env={"PYTHONIOENCODING": "ascii"})
    assert json.loads(shown.stdout)["rows"][0]["title"] == "KL(π_ref‖π)"


def test_the_locale_c_is_no_reason_to_fail(command):
    environment = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
    assert "KL(pi_ref||pi)" in command("identify", "exp(-l)-1+l", env=environment).stdout


FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")


@FULL
def test_a_full_device_is_told_before_the_work(command, tmp_path):
    with Path("/dev/full").open("w") as full:
        done = command("prove", stdout=full)
    assert (done.returncode, done.stderr) == (1, "Error: cannot write to standard output: No space left on device\n")
    for arguments in (["prove"], ["audit", "a:b"]):
        done = command(*arguments, "--json", "/dev/full")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "Error: cannot write /dev/full: No space left on device\n"


def test_a_closed_output_is_told():
    program = Path(sys.executable).with_name("kltheory")
    call = ["sh", "-c", 'exec "$0" identify l >&-', program]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "Error: standard output is closed\n")


@pytest.mark.parametrize(
    "arguments",
    ["list", "prove -k k2_as_loss_eq_k1_in_reward", "table", "explain k2_as_loss_eq_k1_in_reward", "--help"],
)
def test_a_reader_who_leaves_hears_nothing(arguments):
    program = Path(sys.executable).with_name("kltheory")
    with subprocess.Popen([program, *arguments.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode in (0, 1)


# --- in this process --------------------------------------------------------------------------------------------------
def test_where_nothing_watches_a_command_its_status_is_its_own(monkeypatch):
    monkeypatch.setenv(supervisor.DEBUG, "1")
    assert supervisor.supervised(lambda: 7) == 7
    assert not supervisor.is_watched()


def test_a_budget_ends_with_its_command(call):
    """However that ends: an alarm that is left would end whatever comes after."""
    for arguments in (["identify", "l"], ["identify", "("], ["identify", "l", "--as", "x"], ["table", "--bogus"]):
        call(*arguments, "--timeout", "1000")
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_budgets_are_one_in_another():
    with limited(1000, supervisor.UNDECIDED):
        with limited(10, supervisor.UNDECIDED):
            assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 10
        assert 10 < signal.getitimer(signal.ITIMER_REAL)[0] <= 1000
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


SWALLOWS = "while True:\n    try: time.sleep(9)\n    except Exception: pass"


@pytest.mark.parametrize("work", ["while True: pass", SWALLOWS], ids=["loops", "swallows"])
def test_where_nothing_watches_an_alarm_ends_a_budget(work):
    with pytest.raises(TimedOut, match=r"no answer within 0.01 s"), limited(0.01, supervisor.UNDECIDED):
        exec(work)  # noqa: S102


def test_the_budget_of_all_commands_is_in_the_environment(command):
    done = command("identify", "l", env={"KLTHEORY_TIMEOUT": "0.000001"})
    assert (done.returncode, done.stdout) == (2, UNDECIDED[1])
    assert command("identify", "l", "--timeout", "100000", env={"KLTHEORY_TIMEOUT": "0.000001"}).returncode == 0
    assert command("identify", "l", env={"KLTHEORY_TIMEOUT": "soon"}).returncode == 2
