"""One-hidden-layer autoencoder, plain or denoising (Vincent et al. 2010), tied or not."""

import numpy as np

from ..errors import SettingError
from ..kernels.arithmetic.corruption import CORRUPTIONS, Corruption
from ..kernels.arithmetic.losses import LOSSES
from ..network import Network
from ..parameters import declared, value_of
from ..penalties import check_penalties, terms_of
from ..settings import real
from ..training.losses import loss_for
from ..training.phase import Source
from ..training.plan import Plan
from ..training.trainees import DenseTrainee
from .autoencoder_parameters import BUILDING, EVEN, SOME_INPUTS, STARTING, AutoencoderParameters
from .one_layer import OneLayerUnit
from .principal import start_at_components


@declared
class Autoencoder(OneLayerUnit, AutoencoderParameters):
    """One-hidden-layer autoencoder.

    The attributes are those of `RBM`; ``history_`` holds the training loss per sample.
    """

    kind = "autoencoder"
    building = BUILDING

    @property
    def code_activation(self) -> str:  # type: ignore[override]
        """Activation of the hidden layer."""
        return str(value_of(self, "activation"))

    @property
    def output_activation(self) -> str:  # type: ignore[override]
        """Activation of the output layer."""
        return str(value_of(self, "output"))

    def validate(self) -> Plan:
        """Check every parameter and return the training plan; raises SettingError."""
        plan = super().validate()
        if self.corruption != "gaussian":
            real("corruption_level", self.corruption_level, 0.0, 1.0)
        loss_for(self.loss, self.output_activation)
        check_penalties(self, self.code_activation)
        if value_of(self, "start") == "principal" and self.code_activation not in STARTING:
            raise SettingError(
                f"start: principal is for {' or '.join(STARTING)} codes, found {self.code_activation}; leave it out, or choose"
                " another activation"
            )
        if value_of(self, "emphasis") != EVEN and not self.corruption_level:
            raise SettingError("emphasis: has no effect without noise; set corruption_level too")
        if value_of(self, "emphasis") != EVEN and self.corruption not in SOME_INPUTS:
            raise SettingError(
                f"emphasis: expected noise that spoils some inputs and keeps others ({', '.join(SOME_INPUTS)}), found"
                f" {self.corruption}; leave it out, or choose another corruption"
            )
        return plan

    def start_at_data(self, network: Network, source: Source, subset: np.ndarray | None) -> bool:
        """Start at principal components, where `start` asks for them."""
        asked = value_of(self, "start") == "principal"
        if asked:
            start_at_components(network, source, subset)
        return asked

    def trainee(self, network: Network, source: Source, plan: Plan) -> DenseTrainee:
        """Backpropagation through this unit."""
        (scale, offset), data = source.scaled, source.data
        low, high = data.minimum * scale + offset, data.maximum * scale + offset
        kind = CORRUPTIONS[self.corruption if self.corruption_level > 0 else "none"]
        noise = Corruption(kind, float(self.corruption_level), low, high, *value_of(self, "emphasis"))
        n_code_layers = len(self.layers(network.layers[0].n_in).encoder)
        loss = loss_for(self.loss, self.output_activation)
        assert loss in LOSSES
        return DenseTrainee(network, loss, plan, source, noise, terms_of(self, n_code_layers - 1))
