"""One verdict: `check` asks every check of the catalogue, `report` is the verdict as one value that
every output renders, `drill_target` chooses what to drill from it; `live` asks the checks
of one running restore for whoever watches it.
"""
