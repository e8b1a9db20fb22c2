"""Domains that web tools are held to."""

from __future__ import annotations

import pytest

from understudy.tools.web.domains import domain_filter, parse_domain


@pytest.mark.parametrize(
    ("entry", "url", "covered"),
    [
        ("example.com", "https://example.com/", True),
        ("example.com", "https://example.com", True),
        ("example.com", "http://docs.example.com/a?b=c#d", True),
        ("Example.COM.", "https://DOCS.example.com./a", True),
        ("example.com", "https://notexample.com/", False),
        ("example.com", "https://example.com.evil.org/", False),
        ("example.com", "https://evil.org/example.com", False),
        ("example.com", "https://example.com@evil.org/", False),
        ("example.com", "https://evil.org\\@example.com/", False),
        ("docs.example.com", "https://api.example.com/", False),
        ("docs.example.com", "https://example.com/", False),
        ("example.com/blog", "https://example.com/blog/post-1", True),
        ("example.com/blog", "https://example.com/blog", True),
        ("example.com/blog/", "https://example.com/%62log/x", True),
        ("example.com/blog", "https://example.com/blogger", False),
        ("example.com/blog", "https://example.com/other/blog", False),
        ("example.com/*", "https://example.com/anything", True),
        ("example.com/*/articles", "https://example.com/en/articles/7", True),
        ("example.com/*/articles", "https://example.com/articles", False),
        ("example.com/bl*", "https://example.com/blogger", True),
        ("müller.de", "https://xn--mller-kva.de/", True),
        ("amazon.com", "https://\u0430mazon.com/", False),
        ("example.com", "ftp://example.com/", False),
        ("example.com", "https://user@example.com/", False),
        ("example.com", "https://example.com/a b", False),
        ("example.com", "not a url", False),
        ("example.com", "https://[::1/", False),
        ("localhost", "http://localhost:8080/x", True),
    ],
)
def test_an_entry_covers_its_host_and_all_below_it(entry: str, url: str, covered: bool) -> None:
    assert domain_filter([entry], None, with_paths=True).allows(url) is covered


@pytest.mark.parametrize(
    "entry", ["*.example.com", "ex*.com", "https://example.com", "", " ", "exa mple.com", "a..b", "-a.com", "." * 3]
)
def test_what_is_no_domain_is_refused(entry: str) -> None:
    assert parse_domain(entry) is None
    with pytest.raises(ValueError, match="^" + entry.replace("*", r"\*").replace(".", r"\.") + "$"):
        domain_filter(None, [entry], with_paths=True)


def test_what_is_blocked_is_blocked_and_the_rest_allowed() -> None:
    blocking = domain_filter(None, ["example.com/private", "evil.org"], with_paths=True)
    assert blocking.allows("https://example.com/public")
    assert not blocking.allows("https://example.com/private/x")
    assert not blocking.allows("https://www.evil.org/")


def test_where_paths_do_not_count_an_entry_with_one_matches_nothing() -> None:
    assert not domain_filter(["example.com/blog"], None, with_paths=False).allows("https://example.com/blog/1")
    assert domain_filter(None, ["example.com/blog"], with_paths=False).allows("https://example.com/blog/1")


def test_an_empty_list_of_allowed_domains_allows_none() -> None:
    assert not domain_filter([], None, with_paths=True).allows("https://example.com/")
