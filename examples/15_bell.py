"""A Bell pair from a CUDA-Q kernel on a photonic processor: ideal, and with the noise of a published chip."""

import cudaq


@cudaq.kernel
def bell():
    q = cudaq.qvector(2)
    h(q[0])
    x.ctrl(q[0], q[1])
    mz(q)


# One word changes between CUDA-Q's own simulator, simulated photons, and photons with the flaws of a real source.
for target, arguments in (
    ("qpp-cpu", {}),
    ("photonlink", {}),
    ("photonlink", {"noise": "belenos", "detectors": "threshold"}),
):
    cudaq.set_target(target, **arguments)
    cudaq.set_random_seed(7)
    counts = cudaq.sample(bell, shots_count=1000)
    print(f"{target} {arguments or ''}: {dict(sorted(counts.items()))}")
    facts = counts.annotations or {}
    for name in ("photons", "modes", "success_probability", "modelled_seconds", "clock", "simulated", "method"):
        if name in facts:
            value = facts[name]
            print(f"    {name}: {value:.3g}" if isinstance(value, float) else f"    {name}: {value}")

cudaq.reset_target()
