"""How long a test waits for what happens at once: machines are slow, and shared. Exact times are measured by bench/."""

SOON_S = 120.0
JOB_S = 600.0  # a job gives way to everybody: on a full machine it begins late
