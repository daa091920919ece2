"""The page at `/`: what the agent knows, for a person to look at.

It renders what the last readings left in memory and judges nothing itself. Works without
JavaScript; with it, what is shown is refreshed in place.
"""
