"""Ids as a message may show them: what stands for an id on the roster and could say a name stays behind.

Sources are read so that no name comes in with an id; whoever came onto the roster before is shown without it.
"""

import html
import re
from collections.abc import Collection
from urllib.parse import quote

from monitor.catalogue.person_ids import may_hold_name, show_id


def hide_names(words: str, people: Collection[str]) -> str:
    """Return a message's words with the ids of ``people`` that could say a name shown without it."""
    for person_id in people:
        if may_hold_name(person_id):
            shown = show_id(person_id)
            escaped = html.escape(person_id)
            jinja = escaped.replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
            for written in (quote(person_id, safe=""), escaped, jinja, person_id):
                # A line may have been broken inside the id.
                words = re.sub(r"\s+".join(map(re.escape, written.split())), shown, words)
    return words
