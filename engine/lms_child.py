"""The child process that is, or watches, `lms log stream --json`: it ends with its parent. Knows no event.

python -m engine.lms_child PARENT_PID
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import threading

from engine import child
from engine.lmslog import ARGUMENTS, command


def main() -> None:
    """Become the command where the kernel ends it with our parent (Linux), else run it and watch."""
    found = command()
    if found is None:
        sys.exit(1)
    child.die_with_parent(int(sys.argv[1]))
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 2)  # nobody reads its complaints, and a full pipe would stop it
    if platform.system() == "Linux":
        os.execv(found, [found, *ARGUMENTS])
    process = subprocess.Popen([found, *ARGUMENTS], stdin=subprocess.DEVNULL)
    threading.Thread(target=_watch, args=(process,), daemon=True).start()
    sys.exit(process.wait())


def _watch(process: subprocess.Popen[bytes]) -> None:
    """End the command once standard input is closed, which the parent's death does everywhere."""
    while os.read(0, 4096):
        pass
    process.kill()


if __name__ == "__main__":
    main()
