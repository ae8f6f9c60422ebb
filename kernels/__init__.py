"""Compiled arithmetic over arrays: products, activations, losses, noise, updates, and the two trainers.

Kernels know no model, file or screen and check no bounds: the public functions of `stacked` validate, allocate and call.
`KERNELS` names, by their modules, the kernels that have a twin in plain NumPy, of the same name and arguments, in
``tests/naive*.py``.
"""

KERNELS = {
    "arithmetic.random": (
        "philox",
        "fill_uniform",
        "fill_normal",
        "fill_uniform_matrix",
        "fill_normal_matrix",
        "shuffle",
    ),
    "arithmetic.activations": ("activate", "differentiate"),
    "arithmetic.losses": ("squared_error", "cross_entropy", "softmax_cross_entropy", "loss_and_delta"),
    "arithmetic.corruption": ("corrupt", "draw_binary", "emphasis_row"),
    "arithmetic.samples": ("load_row", "load_rows", "load_batch"),
    "plain.blas": ("layer_forward", "layer_backward", "weight_gradient", "column_sums"),
    "engine.panels": ("transpose_panel",),
    "engine.products": ("multiply", "multiply_transposed", "outer"),
    "engine.panel_objective": ("loss_panel",),
    "engine.bfloat16": ("multiply_words", "multiply_words_transposed", "write_form", "write_weights"),
    "arithmetic.stochastic": ("sample_panel",),
    "arithmetic.updates": ("apply_update", "add_penalty"),
    "engine.packed_update": ("update_packed",),
    "arithmetic.activity": ("follow_activity",),
    "layers.gaussian": ("draw", "draw_backward"),
    "likelihood": ("draw_codes", "add_log_likelihoods", "add_exponentials"),
    "backprop": ("forward", "infer", "batch_gradient", "loss_gradient", "train", "evaluate"),
    "rbm": (
        "sample_layer",
        "statistics",
        "divergence_gradient",
        "reconstruction_error",
        "train",
        "free_energy",
        "pseudo_likelihood",
    ),
}
HOMES = {module.rpartition(".")[2]: module for module in KERNELS}  # the last part of a module's name -> the whole
