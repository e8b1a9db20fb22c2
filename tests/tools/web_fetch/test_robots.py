"""What sites allow to be fetched."""

from __future__ import annotations

from understudy.tools.web_fetch.robots import Robots


class Site:
    def __init__(self, text: str | None) -> None:
        self.text = text
        self.asked: list[str] = []

    async def read(self, url: str) -> str | None:
        self.asked.append(url)
        return self.text


async def test_what_is_disallowed_is_not_fetched_and_a_site_is_asked_once_an_hour() -> None:
    now = [0.0]
    site = Site("User-agent: *\nDisallow: /private\n\nUser-agent: understudy\nDisallow: /ours\n")
    robots = Robots(site.read, lambda: now[0])
    assert await robots.allows("https://a.org/private/x")
    assert not await robots.allows("https://a.org/ours/x")
    assert site.asked == ["https://a.org/robots.txt"]
    assert await robots.allows("https://b.org:8443/x")
    now[0] = 4_000
    await robots.allows("https://a.org/x")
    assert site.asked[1:] == ["https://b.org:8443/robots.txt", "https://a.org/robots.txt"]


async def test_a_site_without_rules_allows_all_and_one_that_cannot_say_allows_nothing() -> None:
    assert await Robots(Site("").read).allows("https://a.org/")
    assert await Robots(Site("<html>no rules</html>").read).allows("https://a.org/")
    assert not await Robots(Site(None).read).allows("https://a.org/")


async def test_only_so_many_sites_are_remembered() -> None:
    site = Site("")
    robots = Robots(site.read)
    for number in range(600):
        await robots.allows(f"https://{number}.org/")
    await robots.allows("https://599.org/")
    assert len(site.asked) == 600
    await robots.allows("https://0.org/")
    assert len(site.asked) == 601
