"""A made-up marketplace: as many plugins as one likes, the same each time, whose words are as common as words are (Zipf's law)."""

from __future__ import annotations

from random import Random
from typing import Any

_SYLLABLES = (
    "ab ac an ar ba be bo ca ce co con da de di do e en er fi for ga ge in ing ion la le li lo ma me mi mo na ne no or pa pe po "
    "pro ra re ri ro sa se si so ta te ti tion to tra u un ver vi"
)
_COMMON = (
    "the a and for with of to in your report session user manager invoice calendar backup monitor chat theme billing audit mail "
    "webhook template storage export import sync dashboard analytics security login team project plugin integration simple "
    "advanced automatic"
)
_CATEGORIES = (
    "accounting analytics audio backup billing browsers calendar chat communication crm design development education files finance "
    "games health hr integration legal lifestyle logistics maps marketing media monitoring music network office photos privacy "
    "productivity projects reports sales security shopping social storage support themes travel video"
)


def documents(count: int, seed: int = 7) -> list[dict[str, Any]]:
    """Entries of the published format. Names have two or three words, descriptions about thirty."""
    random = Random(seed)
    words = vocabulary(count)
    made = []
    for number in range(count):
        name = [usual(words, random) for _ in range(random.choice((2, 2, 3)))]
        description = " ".join(usual(words, random) for _ in range(random.randint(20, 40)))
        made.append(
            {
                "slug": f"{'-'.join(name)}-{number}",
                "name": " ".join(name).title(),
                "short_description": description[:100].rpartition(" ")[0],
                "description": description,
                "author": {"name": " ".join(usual(words, random) for _ in range(2)).title()},
                "category": random.choice(_CATEGORIES.split()),
                "tags": [usual(words, random) for _ in range(3)],
                "rating": round(random.uniform(1, 5), 1),
                "reviews_count": int(random.paretovariate(0.8)),
                "downloads": int(random.paretovariate(0.5)),
                "releases": [
                    {
                        "version": f"1.{minor}.0",
                        "released_at": f"2026-{random.randint(1, 12):02d}-{random.randint(1, 28):02d}T10:00:00Z",
                        "url": f"packages/{number}-1.{minor}.0.zip",
                        "sha256": random.randbytes(32).hex(),
                        "size_bytes": random.randint(1_000, 100_000),
                        "requirements": {"system_version": ">=1.0.0"},
                        "changelog": description[:80],
                    }
                    for minor in range(3)
                ],
            }
        )
    return made


def vocabulary(plugins: int) -> list[str]:
    """The words of so many plugins, the commonest first."""
    size, random = max(5_000, plugins // 2), Random(5)
    syllables = _SYLLABLES.split()
    found = dict.fromkeys(_COMMON.split())
    while len(found) < size:
        found["".join(random.choice(syllables) for _ in range(random.randint(2, 5)))] = None
    return list(found)


def usual(words: list[str], random: Random) -> str:
    """One of them, the nth as often as one in n."""
    return words[int(len(words) ** random.random()) - 1]
