"""How long a test waits for what happens at once: machines are slow, and shared. Exact times are measured by bench/."""

SOON_S = 30.0
