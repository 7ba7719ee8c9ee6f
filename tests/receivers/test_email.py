"""Mails over real SMTP: the message, the thread, TLS, and what each refusal means."""

from __future__ import annotations

import ssl
from email.message import EmailMessage
from pathlib import Path

import pytest
import trustme

from exporter.errors import DeliveryError
from exporter.receivers.base import Receiver
from tests.receivers.examples import example
from tests.receivers.kit import FIRING, LABELS, NOW, RESOLVED, from_page, like, receiver
from tests.receivers.smtp import Post, post_office

PLAIN = 'tls = "none"\nfrom = "slod@example.org"\nto = ["a@example.org", "b@example.org"]\n'


def mailer(post: Post, more: str = PLAIN) -> Receiver:
    return receiver("email", f'host = "127.0.0.1"\nport = {post.port}\ntimeout = "5s"\n{more}')


def part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body is not None
    text: str = body.get_content().replace("\r\n", "\n")
    return text


def certified(folder: Path) -> ssl.SSLContext:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "mail-ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    return context


async def test_a_mail_has_text_and_html_and_what_a_mail_needs() -> None:
    async with post_office() as post:
        await mailer(post).send([FIRING], NOW)
        [mail] = post.mails
        assert post.envelopes == [("slod@example.org", ["a@example.org", "b@example.org"], False)]
    assert mail["From"] == "slod@example.org"
    assert mail["To"] == "a@example.org, b@example.org"
    assert mail["Subject"] == "[page] checkout: error budget burns 20.0x over 1h"
    assert mail["Date"] == "Tue, 14 Nov 2023 22:25:00 +0000"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["MIME-Version"] == "1.0"
    assert mail.get_content_type() == "multipart/alternative"
    text, html = part(mail, "plain"), part(mail, "html")
    assert text.startswith("9 bad of 99 events & <rising>.\n\nService: checkout\n")
    assert "Budget remaining: 43.2%\n" in text
    assert "9 bad of 99 events &amp; &lt;rising&gt;." in html
    assert '<a href="https://runbooks.example/burn?a=1&amp;b=2">Runbook</a>' in html


async def test_firing_and_resolved_are_one_thread_and_an_attempt_is_the_same_mail() -> None:
    async with post_office() as post:
        await mailer(post).send([FIRING, FIRING, RESOLVED, like(LABELS, {})], NOW)
        first, again, end, other = post.mails
    assert first["Message-ID"] == again["Message-ID"] != end["Message-ID"]
    assert first["Message-ID"].endswith("@example.org>")
    for header in ("References", "In-Reply-To"):
        assert first[header] == end[header] != other[header]
        assert first[header] != first["Message-ID"]
    assert end["Subject"].startswith("[resolved] ")


async def test_a_label_cannot_write_headers_and_any_letter_arrives() -> None:
    notes = {"summary": "Prüfung\r\nBcc: x@example.org ☃", "description": "päge \0 \u2028"}
    async with post_office() as post:
        await mailer(post).send([like(LABELS, notes)], NOW)
        [mail] = post.mails
    assert mail["Subject"] == "[page] Prüfung Bcc: x@example.org ☃"
    assert mail["Bcc"] is None
    assert part(mail, "plain").startswith("päge ")


async def test_a_report_is_the_text_part() -> None:
    report = "# Review\n\n" + "| a | b |\n" * 300
    async with post_office() as post:
        await mailer(post).send([like({"alertname": "ReliabilityReview"}, {"report": report})], NOW)
        [mail] = post.mails
    assert mail["Subject"] == "ReliabilityReview"
    assert part(mail, "plain").startswith(report)


async def test_the_pages_example_logs_in_by_starttls(tmp_path: Path) -> None:
    (tmp_path / "mail-password").write_text("s3cret\n")
    context = certified(tmp_path)
    async with post_office(context) as post:
        text = example("E-mail", folder=tmp_path, host='"127.0.0.1"')
        text = text.replace("# port = 2525; ca_file", f"port = {post.port}\nca_file")
        await from_page(text).send([FIRING], NOW)
        assert post.logins == [(b"slod", b"s3cret")]
        assert [secure for _, _, secure in post.envelopes] == [True]


async def test_tls_from_the_first_byte(tmp_path: Path) -> None:
    context = certified(tmp_path)
    more = PLAIN.replace("none", "implicit") + f'ca_file = "{tmp_path}/mail-ca.pem"'
    async with post_office(context, implicit=True) as post:
        await mailer(post, more).send([FIRING], NOW)
        assert len(post.mails) == 1


@pytest.mark.parametrize("way", ["starttls", "implicit"])
async def test_an_untrusted_certificate_gets_no_mail_and_no_password(
    way: str, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("s3cret")
    more = PLAIN.replace("none", way) + f'username = "u"\npassword_file = "{tmp_path}/password"'
    async with post_office(certified(tmp_path), implicit=way == "implicit") as post:
        with pytest.raises(DeliveryError) as caught:
            await mailer(post, more).send([FIRING], NOW)
        assert (caught.value.reason, caught.value.permanent) == ("tls", False)
        assert (post.mails, post.logins) == ([], [])


async def test_a_server_without_starttls_gets_no_mail() -> None:
    async with post_office() as post:
        with pytest.raises(DeliveryError) as caught:
            await mailer(post, PLAIN.replace("none", "starttls")).send([FIRING], NOW)
        assert not caught.value.permanent
        assert post.mails == []


@pytest.mark.parametrize(
    ("replies", "reason", "permanent"),
    [
        ({"DATA": "451 later"}, "smtp_451", False),
        ({"DATA": "554 spam"}, "smtp_554", True),
        ({"MAIL": "421 busy"}, "smtp_421", False),
        ({"MAIL": "550 not you"}, "smtp_550", True),
        ({"a@example.org": "450 full", "b@example.org": "550 who"}, "smtp_450", False),
        ({"a@example.org": "550 who", "b@example.org": "550 who"}, "smtp_550", True),
    ],
)
async def test_4xx_is_later_and_5xx_for_good(
    replies: dict[str, str], reason: str, permanent: bool
) -> None:
    async with post_office() as post:
        post.replies = replies
        with pytest.raises(DeliveryError) as caught:
            await mailer(post).send([FIRING], NOW)
    assert (caught.value.reason, caught.value.permanent) == (reason, permanent)


async def test_one_recipient_that_is_refused_costs_the_others_nothing() -> None:
    async with post_office() as post:
        post.replies = {"a@example.org": "550 who"}
        await mailer(post).send([FIRING], NOW)
        assert post.envelopes == [("slod@example.org", ["b@example.org"], False)]


async def test_a_wrong_password_is_told_without_it(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2")
    more = PLAIN.replace("none", "implicit") + (
        f'ca_file = "{tmp_path}/mail-ca.pem"\nusername = "u"\npassword_file = "{tmp_path}/password"'
    )
    async with post_office(certified(tmp_path), implicit=True) as post:
        with pytest.raises(DeliveryError) as caught:
            await mailer(post, more).send([FIRING], NOW)
    assert caught.value.reason == "smtp_535"
    assert "hunter2" not in str(caught.value)


async def test_a_mail_that_was_taken_is_not_sent_again_for_want_of_a_goodbye() -> None:
    async with post_office() as post:
        post.stays = True
        await mailer(post).send([FIRING], NOW)
        assert len(post.mails) == 1


async def test_a_server_that_is_silent_or_gone_is_tried_again() -> None:
    async with post_office() as post:
        post.silent = True
        told = receiver(
            "email", f'host = "127.0.0.1"\nport = {post.port}\ntimeout = "300ms"\n{PLAIN}'
        )
        with pytest.raises(DeliveryError) as caught:
            await told.send([FIRING], NOW)
        assert (caught.value.reason, caught.value.permanent) == ("timeout", False)
    with pytest.raises(DeliveryError) as caught:
        await told.send([FIRING], NOW)
    assert (caught.value.reason, caught.value.permanent) == ("refused", False)
