"""Addresses to POST to, as the configuration may have them."""

from __future__ import annotations


def is_url(text: str) -> bool:
    """Whether a POST can go there."""
    import httpx  # 7 MiB, which an agent without such a receiver need not hold

    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        return False
    return url.scheme in ("http", "https") and bool(url.host)
