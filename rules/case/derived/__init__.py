"""The derivations: every fact that follows from observations is worked out here, and only here."""
