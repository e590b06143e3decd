"""How long a test waits for what happens at once: machines are slow, and shared. Exact times are measured by bench/."""

SOON_S = 30.0
JOB_S = 300.0  # a job gives way to everybody: on a full machine it begins late
