"""Judgements: values in, findings out. Pure; imports only parsers/.

From the ground up: `model`, then `archive`, `recovery` and `capacity`, then `backup`, `live` and
`events`, then `drill` and `retention`, then `verdict` with the `catalogue`, then `alerting` and
`chart`.
"""
