"""The clinic's Flower app: answer the questions of studies this clinic holds, and nothing else.

The same factory serves a hospital node, a Ray simulation and the in-process engine; they differ in
how a study's rows and noise are opened, never in how a question is answered.
"""

from collections.abc import Callable

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from client.answers import answer_question
from client.site import SiteStudy, open_site
from shared.errors import FederationError
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

    @client_app.query("ready")
    def ready(message: Message, context: Context) -> Message:
        """Name the clinic for each study asked about, or fail where one is not held."""
        asked = message.content.config_records.get("studies")
        studies = asked.get("study") if asked is not None else None
        if not isinstance(studies, list):
            raise FederationError("a ready question without studies arrived")
        clinics = [open_study(context, str(digest)).clinic for digest in studies]
        content = RecordDict({"ready": ConfigRecord({"study": studies, "clinic": clinics})})
        return Message(content, reply_to=message)

    @client_app.train("exchange")
    def exchange(message: Message, context: Context) -> Message:
        """Answer one question of each study named in the message."""
        answers = {
            digest: answer_question(open_study(context, digest), question)
            for digest, question in unpack_questions(message.content).items()
        }
        return Message(pack_answers(answers), reply_to=message)

    return client_app


app = create_client_app(open_site)
