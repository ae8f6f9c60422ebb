"""One-hidden-layer autoencoder, plain or denoising (Vincent et al. 2010), tied or not."""

import numpy as np

from ..errors import SettingError
from ..network import Network
from ..parameters import declared, value_of
from ..training.phase import Source
from ..training.plan import Plan
from .autoencoder_parameters import BUILDING, STARTING, AutoencoderParameters
from .denoising import DenoisingUnit
from .one_layer import OneLayerUnit
from .principal import start_at_components


@declared
class Autoencoder(OneLayerUnit, DenoisingUnit, AutoencoderParameters):
    """One-hidden-layer autoencoder.

    The attributes are those of `RBM`; ``history_`` holds the training loss per sample.
    """

    kind = "autoencoder"
    building = BUILDING

    def validate(self) -> Plan:
        """Check every parameter and return the training plan; raises SettingError."""
        plan = super().validate()
        if value_of(self, "start") == "principal" and self.code_activation not in STARTING:
            raise SettingError(
                f"start: principal is for {' or '.join(STARTING)} codes, found {self.code_activation}; leave it out, or choose"
                " another activation"
            )
        return plan

    @property
    def codes_in_pairs(self) -> bool:
        """Whether it starts with pairs of mirrored units."""
        return value_of(self, "start") == "principal" and self.code_activation == "relu"

    def start_at_data(self, network: Network, source: Source, subset: np.ndarray | None) -> bool:
        """Start at principal components, where `start` asks for them."""
        asked = value_of(self, "start") == "principal"
        if asked:
            start_at_components(network, source, subset)
        return asked
