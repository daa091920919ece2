"""HTTP: `server` and `application`, `api` with `drills` and `estimate`, `exposition` for /metrics,
and `config` and `guard` for TLS and passwords.
"""
