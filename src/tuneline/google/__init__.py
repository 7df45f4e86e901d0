"""Talking to Google's services, or to the local one: hosts, credentials, retries, and errors in words.

Everything goes over REST: one import of `requests` (0.1 s) where a generated client costs seconds in a short step.
"""
