"""Processes that die with whoever started them, write down how they ended, and never run twice in one folder."""

from tuneline.local.processes.supervised import Exit, Supervised, exit_of, is_running, log_tail, reclaim, spawn

__all__ = ["Exit", "Supervised", "exit_of", "is_running", "log_tail", "reclaim", "spawn"]
