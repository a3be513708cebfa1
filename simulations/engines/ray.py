"""Run the Flower apps on Flower's Ray engine, for many cores or a Ray cluster.

App objects reach that engine only through ``run_simulation``, which is why it is called here and
nowhere else.
"""

import logging
import warnings

from flwr.app import Context

from client.app import create_client_app
from server.app import create_server_app
from shared.errors import FederationError, InputError
from shared.model import TrainedModel
from shared.offline import stay_offline
from shared.study import Study
from simulations.engines.federation import Federation

__all__ = ["train_with_ray"]

_DEADLINE_S = 600.0


def train_with_ray(federation: Federation) -> dict[str, TrainedModel]:
    """Train all studies of a federation on Ray.

    Raises
    ------
    InputError
        When Ray is not installed.
    FederationError
        When a clinic refuses or a training cannot finish.
    """
    stay_offline()
    try:
        import ray  # noqa: F401
    except ImportError:
        raise InputError(
            "engine 'ray' asked, but Ray is not installed; install it with "
            "`pip install 'fedaffect[ray]'`, or use --engine inprocess"
        ) from None
    from flwr.simulation import run_simulation

    models: dict[str, TrainedModel] = {}

    def deliver(context: Context, study: Study, model: TrainedModel) -> None:
        models[study.digest] = model

    server_app = create_server_app(
        lambda context: federation.prepared, deliver, deadline_s=_DEADLINE_S
    )
    flower = logging.getLogger("flwr")
    level = flower.level
    flower.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # notices of libraries we do not own
            run_simulation(
                server_app=server_app,
                client_app=create_client_app(federation.open_study),
                num_supernodes=len(federation.clinics),
                backend_config={
                    "init_args": {"log_to_driver": False, "include_dashboard": False},
                    "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
                },
            )
    finally:
        flower.setLevel(level)
    missing = len(federation.prepared) - len(models)
    if missing:
        raise FederationError(
            f"{missing} of {len(federation.prepared)} studies gave no model; run with "
            "--engine inprocess to see which clinic refused"
        )
    return models
