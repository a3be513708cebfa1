"""The clinic's Flower app: answer the questions of studies this clinic holds, and nothing else.

The same factory serves a hospital node, a Ray simulation and the in-process engine; they differ in
how a study's rows and noise are opened, never in how a question is answered.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from client.answers import answer_question
from client.open_site import open_site
from client.site import SiteStudy
from shared.errors import FederationError, PrivacyError
from shared.messages import pack_answers, unpack_questions

__all__ = ["app", "create_client_app"]


def create_client_app(
    open_study: Callable[[Context, str], SiteStudy],
) -> ClientApp:
    """Make the app.

    Parameters
    ----------
    open_study : callable
        ``open_study(context, study_digest)`` returns this node's side of the named study, or
        raises when this clinic does not hold it.
    """
    client_app = ClientApp()

    def opened(context: Context, digest: str) -> SiteStudy:
        with _told_without_data():
            return open_study(context, digest)

    @client_app.query("ready")
    def ready(message: Message, context: Context) -> Message:
        """Name the clinic for each study asked about, or fail where one is not open here."""
        asked = message.content.config_records.get("studies")
        studies = asked.get("study") if asked is not None else None
        if not isinstance(studies, list):
            raise FederationError("a ready question without studies arrived")
        with _told_without_data():
            sites = [opened(context, str(digest)) for digest in studies]
            heads = [site.book.ready(site.study.digest) for site in sites]
        answer = ConfigRecord(
            {
                "study": studies,
                "clinic": [site.clinic for site in sites],
                "feature_map": [site.study.feature_map for site in sites],
                "head": heads,
            }
        )
        return Message(RecordDict({"ready": answer}), reply_to=message)

    @client_app.train("exchange")
    def exchange(message: Message, context: Context) -> Message:
        """Answer one question of each study named in the message."""
        asked = unpack_questions(message.content)
        with _told_without_data():
            answers = {
                digest: answer_question(opened(context, digest), question, asked.echoed_head)
                for digest, question in asked.questions.items()
            }
        return Message(pack_answers(answers), reply_to=message)

    return client_app


@contextlib.contextmanager
def _told_without_data() -> Iterator[None]:
    """Let only errors made of public numbers travel; the others stay in this clinic's own log.

    Flower sends the text of any exception to the server, and a message about a file may name a
    participant, a path or a count.
    """
    try:
        yield
    except (PrivacyError, FederationError):
        raise
    except Exception:
        logging.getLogger(__name__).exception("a question could not be answered")
        raise FederationError(
            "this clinic could not answer; the reason stands in its own log"
        ) from None


app = create_client_app(open_site)
