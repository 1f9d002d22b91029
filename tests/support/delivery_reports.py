"""Delivery reports as real mail servers write them, about a message with a given key; addresses are invented."""

from typing import Any

RETURNED = """\
From: care-leaver-monitor@example.gov.uk
To: {to}
Subject: OFFICIAL-SENSITIVE Leaving care
Message-ID: <{key}@example.gov.uk>
X-Monitor-Key: {key}
"""

POSTFIX = """\
Return-Path: <>
Date: Mon, 12 Jan 2026 08:01:02 +0000 (GMT)
From: MAILER-DAEMON@relay.example.gov.uk (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: care-leaver-monitor@example.gov.uk
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="4D2A11.1768204862/relay.example.gov.uk"
Message-Id: <20260112080102.77@relay.example.gov.uk>

This is a MIME-encapsulated message.

--4D2A11.1768204862/relay.example.gov.uk
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients.

--4D2A11.1768204862/relay.example.gov.uk
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example.gov.uk
Original-Envelope-Id: {key}
X-Postfix-Queue-ID: 4D2A11
Arrival-Date: Mon, 12 Jan 2026 08:01:00 +0000 (GMT)

Final-Recipient: rfc822; {to}
Original-Recipient: rfc822;{to}
Action: {action}
Status: {status}
Remote-MTA: dns; mx.example.gov.uk
Diagnostic-Code: smtp; 550 {status} <{to}>: Recipient address rejected
{more}
--4D2A11.1768204862/relay.example.gov.uk
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

{returned}
--4D2A11.1768204862/relay.example.gov.uk--
"""

EXCHANGE = """\
From: <postmaster@example.onmicrosoft.com>
To: <care-leaver-monitor@example.gov.uk>
Date: Mon, 12 Jan 2026 08:01:02 +0000
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="9a4f5a4e-0000-4e6c-9f1d-000000000000"
X-MS-Exchange-Message-Is-Ndr:
Content-Language: en-GB
Message-ID: <77@LO0P265MB0000.GBRP265.PROD.OUTLOOK.COM>
In-Reply-To: <{key}@example.gov.uk>
Subject: Undeliverable: OFFICIAL-SENSITIVE Leaving care
Auto-Submitted: auto-replied
MIME-Version: 1.0

--9a4f5a4e-0000-4e6c-9f1d-000000000000
Content-Type: multipart/alternative; differences=Content-Type;
\tboundary="a8e1c0de-0000-4a4f-8d1f-000000000000"

--a8e1c0de-0000-4a4f-8d1f-000000000000
Content-Type: text/plain; charset="us-ascii"
Content-Transfer-Encoding: quoted-printable

Your message couldn't be delivered.

--a8e1c0de-0000-4a4f-8d1f-000000000000
Content-Type: text/html; charset="us-ascii"
Content-Transfer-Encoding: quoted-printable

<html><body>Your message couldn't be delivered.</body></html>

--a8e1c0de-0000-4a4f-8d1f-000000000000--

--9a4f5a4e-0000-4e6c-9f1d-000000000000
Content-Type: message/delivery-status

Reporting-MTA: dns;LO0P265MB0000.GBRP265.PROD.OUTLOOK.COM
Received-From-MTA: dns;LO0P265MB0000.GBRP265.PROD.OUTLOOK.COM
Arrival-Date: Mon, 12 Jan 2026 08:01:00 +0000

Final-Recipient: rfc822;{to}
Action: {action}
Status: {status}
Diagnostic-Code: smtp;550 {status} RESOLVER.ADR.RecipientNotFound; not found
X-Display-Name: {to}
{more}

--9a4f5a4e-0000-4e6c-9f1d-000000000000
Content-Type: message/rfc822

{returned}Content-Type: text/plain

a digest

--9a4f5a4e-0000-4e6c-9f1d-000000000000--
"""

SENDMAIL = """\
Date: Mon, 12 Jan 2026 08:01:02 GMT
From: Mail Delivery Subsystem <MAILER-DAEMON@old.example.gov.uk>
To: <care-leaver-monitor@example.gov.uk>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="i0C8.1768/old.example.gov.uk"
Subject: Returned mail: see transcript for details
Auto-Submitted: auto-generated (failure)

This is a MIME-encapsulated message

--i0C8.1768/old.example.gov.uk

The original message was received at Mon, 12 Jan 2026 08:01:00 GMT

   ----- The following addresses had permanent fatal errors -----
<{to}>

--i0C8.1768/old.example.gov.uk
Content-Type: message/delivery-status

Reporting-MTA: dns; old.example.gov.uk
Arrival-Date: Mon, 12 Jan 2026 08:01:00 GMT

Final-Recipient: RFC822; {to}
X-Actual-Recipient: RFC822; someone@inside.example.gov.uk
Action: {action}
Status: {status}
Last-Attempt-Date: Mon, 12 Jan 2026 08:01:02 GMT
{more}
--i0C8.1768/old.example.gov.uk
Content-Type: message/rfc822

{returned}
a digest

--i0C8.1768/old.example.gov.uk--
"""

EXIM = """\
X-Failed-Recipients: {to}
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@exim.example.gov.uk>
To: care-leaver-monitor@example.gov.uk
References: <{key}@example.gov.uk>
Content-Type: multipart/report; report-type=delivery-status; boundary=1768204862-eximdsn-1804289383
MIME-Version: 1.0
Subject: Mail delivery failed: returning message to sender
Date: Mon, 12 Jan 2026 08:01:02 +0000

--1768204862-eximdsn-1804289383
Content-type: text/plain; charset=us-ascii

This message was created automatically by mail delivery software.

--1768204862-eximdsn-1804289383
Content-type: message/delivery-status

Reporting-MTA: dns; exim.example.gov.uk

Action: {action}
Final-Recipient: rfc822;{to}
Status: {status}
Remote-MTA: dns; mx.example.gov.uk
{more}
--1768204862-eximdsn-1804289383
Content-type: message/rfc822

{returned}
a digest

--1768204862-eximdsn-1804289383--
"""

EXIM_OF_OLD = """\
X-Failed-Recipients: {to}
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@exim.example.gov.uk>
To: care-leaver-monitor@example.gov.uk
Subject: Mail delivery failed: returning message to sender
Date: Mon, 12 Jan 2026 08:01:02 +0000

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  {to}
    SMTP error from remote mail server after RCPT TO:<{to}>:
    host mx.example.gov.uk: 550 {status} unknown

------ This is a copy of the message, including all the headers. ------

{returned}
a digest
"""

FORMS = {"postfix": POSTFIX, "exchange": EXCHANGE, "sendmail": SENDMAIL, "exim": EXIM, "exim of old": EXIM_OF_OLD}


def report(key: str, to: str, form: str = "postfix", **given: Any) -> bytes:
    """Write a report; ``status``, ``action``, ``more`` (fields of other readers) and ``returned`` say what differs."""
    returned = given.pop("returned", RETURNED.format(key=key, to=to))
    usual = {"status": "5.1.1", "action": "failed", "more": "", "returned": returned}
    return FORMS[form].format(key=key, to=to, **(usual | given)).encode()


def forwarded(content: bytes) -> bytes:
    """The same as somebody forwards it, inside another e-mail."""
    head = (
        b"From: clerk@example.gov.uk\nSubject: FW: Undeliverable\nMIME-Version: 1.0\n"
        b"Content-Type: multipart/mixed; boundary=outer\n\n--outer\nContent-Type: text/plain\n\nsee below\n\n"
        b"--outer\nContent-Type: message/rfc822\n\n"
    )
    return head + content + b"\n--outer--\n"
