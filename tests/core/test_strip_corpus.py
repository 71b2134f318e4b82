"""Real mail: whatever is taken out of the new words, nothing of it is lost."""

from __future__ import annotations

import os
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from mailgate.core.parse import parse
from mailgate.core.strip import strip

LIST_MAILS = 1500 if os.environ.get("MAILGATE_TEST_FULL") == "1" else 200


def mails(corpus: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(corpus.rglob("*")):
        if path.name.endswith(".eml"):
            yield str(path.relative_to(corpus)), path.read_bytes()
    with tarfile.open(corpus / "uboot-list" / "uboot-list.tar.gz") as packed:
        posts = [member for member in packed if member.name.endswith(".eml")]
        for member in posts[:LIST_MAILS]:
            file = packed.extractfile(member)
            assert file is not None
            yield member.name, file.read()


def test_no_mail_of_the_corpus_loses_a_line(corpus: Path) -> None:
    lost, seen, cut = [], 0, 0
    for name, raw in mails(corpus):
        mail = parse(raw)
        done = strip(mail.text, mail.html)
        parts = (done.visible, done.quoted, done.signature)
        lines = Counter(line for part in parts for line in part.split("\n") if line)
        if lines != Counter(line for line in mail.text.split("\n") if line):
            lost.append(name)
        assert done.visible.strip() or not mail.text.strip(), name
        seen += 1
        cut += done.visible != mail.text
    assert lost == []
    assert seen == 475 + LIST_MAILS
    assert cut > 200
