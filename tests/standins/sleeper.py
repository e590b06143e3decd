"""A child process that starts a grandchild, prints its number and sleeps, until its parent is gone."""

from __future__ import annotations

import subprocess
import sys
import time

from engine import child

if __name__ == "__main__":
    child.die_with_parent(int(sys.argv[1]))
    child.exit_at_end_of_input()
    grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    sys.stdout.write(f"{grandchild.pid}\n")
    sys.stdout.flush()
    time.sleep(300)
