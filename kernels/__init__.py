"""Compiled arithmetic over arrays: products, activations, losses, noise, updates, and the two trainers.

Kernels know no model, file or screen and check no bounds: the public functions of `stacked` validate, allocate and call.
`KERNELS` names every kernel that has a twin in plain NumPy, of the same name and arguments, in ``tests/naive*.py``.
"""

KERNELS = {
    "random": ("philox", "fill_uniform", "fill_normal", "fill_uniform_matrix", "fill_normal_matrix", "shuffle"),
    "activations": ("activate", "differentiate"),
    "losses": ("squared_error", "cross_entropy", "softmax_cross_entropy", "loss_and_delta"),
    "corruption": ("corrupt", "emphasis_row"),
    "samples": ("load_row", "load_rows", "load_batch"),
    "plain": ("layer_forward", "layer_backward", "weight_gradient", "column_sums"),
    "packing": ("transpose_panel",),
    "product": ("multiply", "multiply_transposed", "outer", "activate_panel", "loss_panel"),
    "bfloat16": ("multiply_words", "multiply_words_transposed", "write_form", "write_weights"),
    "sampling": ("sample_panel",),
    "updates": ("apply_update", "add_penalty", "update_packed"),
    "sparsity": ("follow_activity",),
    "dense": ("forward", "infer", "batch_gradient", "loss_gradient", "train"),
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
