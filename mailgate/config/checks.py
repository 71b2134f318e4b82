"""What no section can know alone: names that must exist elsewhere, addresses used once, files.

Each check yields a Problem per mistake; CHECKS is the whole list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from mailgate.config.credentials import secret_files
from mailgate.config.lifecycle import groups, life_cycle
from mailgate.config.models import AgentSection, Config, MailboxSection
from mailgate.config.positions import Loc
from mailgate.config.problems import ConfigError, Problem, nearest
from mailgate.config.rulesfile import Names, read_rules
from mailgate.config.site import Site
from mailgate.core.decision import Notice
from mailgate.resources import resource

Check = Callable[[Config, Site], Iterator[Problem]]


def mailbox_named(config: Config, written: str) -> str:
    """The address of the mailbox meant by an address, alias or name; "" when there is none.

    Nothing written means the only mailbox.
    """
    if not written and len(config.mailbox) == 1:
        return config.mailbox[0].address
    low = written.lower()
    for box in config.mailbox:
        if low and low in {x.lower() for x in (box.address, *box.aliases, box.name or "")}:
            return box.address
    return ""


def _template_dirs(config: Config) -> tuple[Path, ...]:
    """Folders with mail templates: the operator's `[helpdesk].templates/mail`, then the shipped."""
    own = config.helpdesk.templates
    return (*((own / "mail",) if own else ()), resource("templates") / "mail")


def template_languages(config: Config) -> tuple[str, ...]:
    """Languages in which every notice has its templates."""
    folders = _template_dirs(config)
    names = {d.name for folder in folders for d in folder.glob("*/") if d.is_dir()}

    def whole(name: str) -> bool:
        files = [Path(name, f"{n.value}.{kind}.j2") for n in Notice for kind in ("txt", "html")]
        return all(any((folder / file).is_file() for folder in folders) for file in files)

    return tuple(sorted(filter(whole, names)))


def _mailboxes(config: Config, site: Site) -> Iterator[Problem]:
    if not config.mailbox and site.whole("mailbox"):
        remedy = 'write [[mailbox]] with address = "support@example.org"'
        yield site.problem((), "there is no mailbox to receive mail for", remedy)
    owners: dict[str, str] = {}
    for loc, address in _addresses(config, "mailbox"):
        if address.lower() in owners:
            message = f"{address} is used twice, first in {owners[address.lower()]}"
            yield site.problem(loc, message, "remove one of the two")
        owners.setdefault(address.lower(), f"[{loc[0]}.{loc[1]}]")


def _agents(config: Config, site: Site) -> Iterator[Problem]:
    boxes = {address.lower() for _loc, address in _addresses(config, "mailbox")}
    seen: dict[str, str] = {}
    for loc, address in _addresses(config, "agent"):
        low = address.lower()
        if low in boxes:
            message = f"{address} is a mailbox, so mail to this agent would come back to us"
            yield site.problem(loc, message, "write the agent's own address")
        if low in seen:
            message = f"{address} is used twice, first in {seen[low]}"
            yield site.problem(loc, message, "remove one of the two")
        seen.setdefault(low, f"[agent.{loc[1]}]")


def _duty(config: Config, site: Site) -> Iterator[Problem]:
    known = {agent.address.lower() for agent in config.agent}
    for address in config.agents.duty if site.whole("agent") else ():
        if address.lower() not in known:
            message = f"{address} is not the address of an [[agent]]"
            yield site.problem(("agents", "duty"), message, nearest(address, sorted(known)))


def _ops(config: Config, site: Site) -> Iterator[Problem]:
    boxes = {address.lower() for _loc, address in _addresses(config, "mailbox")}
    for address in config.helpdesk.ops:
        if address.lower() in boxes:
            message = f"{address} is a mailbox, so alerts would come back to us"
            yield site.problem(("helpdesk", "ops"), message, "write an address that a person reads")


def _reply_domain(config: Config, site: Site) -> Iterator[Problem]:
    """All mail to that domain is ours, so nobody else may live there."""
    domain = config.trust.reply_domain or ""
    people = [address for _loc, address in _addresses(config, "agent")]
    for address in (*people, *config.helpdesk.ops):
        if domain and address.lower().rpartition("@")[2] == domain:
            message = f"{address} lives in it, and mail to it would come back to us"
            remedy = 'write a domain used for nothing else, e.g. "reply.example.org"'
            yield site.problem(("trust", "reply_domain"), message, remedy)


def _addresses(config: Config, section: str) -> Iterator[tuple[Loc, str]]:
    entries: Sequence[MailboxSection | AgentSection] = (
        config.mailbox if section == "mailbox" else config.agent
    )
    for at, entry in enumerate(entries):
        yield (section, at, "address"), entry.address
        for alias in entry.aliases:
            yield (section, at, "aliases"), alias


def _queues(config: Config, site: Site) -> Iterator[Problem]:
    queues = {box.queue for box in config.mailbox}
    for at, agent in enumerate(config.agent if site.whole("mailbox") else ()):
        for queue in agent.queues:
            if queue not in queues:
                message = f"no mailbox has the queue {queue!r}"
                yield site.problem(("agent", at, "queues"), message, nearest(queue, queues))


def _imap(config: Config, site: Site) -> Iterator[Problem]:
    seen: set[tuple[str, int, str, str]] = set()
    for at, account in enumerate(config.imap):
        if site.whole("mailbox") and not mailbox_named(config, account.mailbox):
            addresses = [box.address for box in config.mailbox]
            missing = f"there is no mailbox {account.mailbox!r}"
            message = missing if account.mailbox else "which mailbox is this mail for?"
            remedy = nearest(account.mailbox, addresses)
            yield site.problem(("imap", at, "mailbox"), message, remedy)
        owner = (account.host.lower(), account.port, account.username)
        read = {(*owner, folder) for folder in (account.folder, account.sent) if folder}
        if read & seen:
            message = "the same folder of the same account is read twice"
            yield site.problem(("imap", at), message, "remove one of the two")
        seen |= read
        if account.folder in (account.processed, account.failed):
            message = "mail would be moved into the folder it is read from"
            yield site.problem(("imap", at, "folder"), message, "write another folder")
        if account.sent and account.sent in (account.folder, account.processed, account.failed):
            message = "the folder of mail that was sent is used for other mail"
            yield site.problem(("imap", at, "sent"), message, "write another folder")


def _listeners(config: Config, site: Site) -> Iterator[Problem]:
    where: dict[str, str] = {}
    places: list[tuple[Loc, object]] = [
        (("smtp", at, "listen"), entry.listen) for at, entry in enumerate(config.smtp)
    ]
    for loc, listen in [*places, (("web", "listen"), config.web.listen)]:
        text = str(listen)
        if listen is None or text.endswith(":0"):
            continue
        if text in where:
            message = f"{text} is taken by {where[text]}"
            yield site.problem(loc, message, "write another port")
        where.setdefault(text, f"[{'.'.join(map(str, loc[:-1]))}]")


def _language(config: Config, site: Site) -> Iterator[Problem]:
    known = template_languages(config)
    wanted: list[tuple[Loc, str | None]] = [(("helpdesk", "language"), config.helpdesk.language)]
    wanted += [(("mailbox", at, "language"), box.language) for at, box in enumerate(config.mailbox)]
    for loc, language in wanted:
        if language and language not in known and site.whole("helpdesk"):
            message = f"there are no templates for {language!r}"
            yield site.problem(loc, message, nearest(language, known))


def _folders(config: Config, site: Site) -> Iterator[Problem]:
    desk = config.helpdesk
    if desk.data_dir.exists() and not desk.data_dir.is_dir():
        message = f"{desk.data_dir} is not a folder"
        yield site.problem(("helpdesk", "data_dir"), message, "write the path of a folder")
    if desk.templates and not desk.templates.is_dir():
        message = f"{desk.templates} is not a folder"
        yield site.problem(("helpdesk", "templates"), message, "create it or remove the key")


def _sla(config: Config, site: Site) -> Iterator[Problem]:
    known = config.tickets.priorities
    for name, table in (("answer", config.sla.answer), ("resolve", config.sla.resolve)):
        for priority in table if site.whole("tickets") else ():
            if priority not in known:
                message = f"there is no priority {priority!r}"
                yield site.problem(("sla", name, priority), message, nearest(priority, known))


# What the extra `verify` brings; see mailgate.dmarc.
_VERIFY_NEEDS = ("dkim", "dns", "nacl", "publicsuffixlist", "spf")


def _trust(config: Config, site: Site) -> Iterator[Problem]:
    missing = [name for name in _VERIFY_NEEDS if find_spec(name) is None]
    if config.trust.verify and missing:
        message = f"checking mail ourselves needs {', '.join(missing)}, not installed here"
        remedy = "install mailgate with the extra verify: pip install 'mailgate[verify]'"
        yield site.problem(("trust", "verify"), message, remedy)


def _rules(config: Config, site: Site) -> Iterator[Problem]:
    path = config.helpdesk.rules
    if path is None:
        return
    names = Names.of(config, whole=site.whole)
    try:
        read_rules(path, names)
    except ConfigError as error:
        if error.problems[0].line:
            yield from error.problems
        else:
            problem = error.problems[0]
            message = f"{problem.file} {problem.message}"
            yield site.problem(("helpdesk", "rules"), message, problem.remedy)


CHECKS: tuple[Check, ...] = (
    _mailboxes,
    _agents,
    _duty,
    _ops,
    _reply_domain,
    _queues,
    _imap,
    _listeners,
    _language,
    _folders,
    _sla,
    _trust,
    life_cycle,
    groups,
    secret_files,
    _rules,
)


def run(config: Config, site: Site) -> list[Problem]:
    """Every mistake that CHECKS find."""
    return [problem for check in CHECKS for problem in check(config, site)]
