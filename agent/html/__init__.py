"""What the agent's page and the HTML report share: `environment` (templates), `static_files`,
`answers` and `addresses` to serve them, `axis` and `svg` (the drawing of the restorable
windows).
"""
