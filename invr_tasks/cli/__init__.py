"""The command ``invr``: names the commands, imports the one that is asked for, and turns errors into one line.

Exit codes: 0 done; 1 something is wrong with invr or a plugin; 2 the user can put it right; 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from invr_core.discovery import DiscoveryWarning
from invr_core.errors import BadInput, did_you_mean
from invr_core.threads import wait_briefly
from invr_tasks.cli.blame import blame, say

COMMANDS = {
    "demo": ("demo", "fit the clip that ships with invr, run the tasks on it, and compare"),
    "run": ("run", "run a task: invr run TASK INPUT OUTPUT; `invr run TASK --help` shows its options"),
    "batch": ("batch", "run a task on many clips: invr batch TASK INPUT… --into DIR|URL"),
    "resume": ("resume", "go on with a run that was kept and did not come to its end: invr resume RUN"),
    "fit": ("fit", "fit a clip into one .invr file: invr fit INPUT FILE.invr"),
    "query": ("query", "ask a .invr file for frames: invr query FILE.invr OUTPUT --fps 120"),
    "view": ("view", "look at what was fitted in a browser on this machine: invr view FILE.invr|RUN"),
    "tasks": ("listing", "list the installed tasks"),
    "models": ("listing", "list the installed models"),
    "new-task": ("new", "write a new task of your own: invr new-task NAME"),
    "new-model": ("new", "write a new model of your own: invr new-model NAME"),
    "bench": ("bench", "measure models side by side: invr bench model --clip CLIP --params 350k --seconds 180 …"),
    "doctor": ("doctor", "check the installation, the devices and every plugin"),
}
"""Command -> the module beside this one that holds its function, and what it does."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line.

    Args:
        argv: without the program's name; None for that of the process.

    Returns:
        the exit code.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    wait_briefly(os.environ)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that lacks a character still shows the rest
    with warnings.catch_warnings():
        warnings.simplefilter("always", DiscoveryWarning)
        warnings.showwarning = _show_warning
        try:
            return _dispatch(arguments)
        except BrokenPipeError:  # whoever read our output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except SystemExit as end:  # tyro, after a help text
            return int(end.code or 0)
        except KeyboardInterrupt as stop:
            say("error", str(stop) or "stopped")
            return 130
        except Exception as error:
            code, text = blame(error)
            say("error", text)
            return code


def _dispatch(arguments: list[str]) -> int:
    if not arguments:
        print(_help(), file=sys.stderr)
        return 2
    command, *rest = arguments
    if command in ("-h", "--help", "help"):
        print(_help())
        return 0
    if command in ("-V", "--version"):
        print(f"invr {_version()}")
        return 0
    if command not in COMMANDS:
        raise BadInput(
            f"there is no command {command!r}. {did_you_mean(command, COMMANDS)}Commands: {', '.join(COMMANDS)}"
        )
    run = getattr(import_module(f"invr_tasks.cli.{COMMANDS[command][0]}"), command.replace("-", "_"))
    return int(run(rest))


def _help() -> str:
    lines = "\n".join(f"  {command:9} {what}" for command, (_, what) in COMMANDS.items())
    return (
        "usage: invr COMMAND …\n\n"
        "Fit a video once into a continuous-time neural representation, then ask it for anything.\n\n"
        f"commands:\n{lines}\n\n"
        "options:\n"
        "  -h, --help     this text; `invr COMMAND --help` for one command\n"
        "  --version      the version of invr"
    )


def _version() -> str:
    try:
        return version("invr")
    except PackageNotFoundError:
        return "(not installed: run from its source)"


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: object = None,
) -> None:
    say("warning", str(message))
