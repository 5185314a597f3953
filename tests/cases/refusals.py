"""Commands that must be refused in one line that names what is wrong, before they begin to work."""

import sys

from tests import forked_commands


def refuse(cases, status=2):
    """Ends the script with FAULT unless each of several commands is refused.

    Args:
      cases: Module and arguments of each command, in one text, and words that its line must hold, separated by blanks.
      status: Exit status of the commands.
    """
    commands = [(module, arguments) for module, *arguments in map(str.split, cases)]
    for command, (code, out, err) in zip(cases, forked_commands.run(commands), strict=True):
        one_line = err.count("\n") == 1 and err.startswith("error: ") and not out
        if code != status or not one_line or not all(word in err for word in cases[command].split()):
            sys.exit(f"FAULT: {command}: status {code}: {out}{err}")
