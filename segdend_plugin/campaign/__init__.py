"""Many runs: the figures of the paper, sweeps, jobs and their measures."""
