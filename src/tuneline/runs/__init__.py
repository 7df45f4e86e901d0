"""Pipeline runs: from a template and its parameters to a watched job and its outcome, local or real by one setting."""
