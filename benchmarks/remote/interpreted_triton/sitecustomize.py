"""Makes vLLM on a CPU take Triton with its interpreter (TRITON_INTERPRET=1).

vLLM asks Triton for a backend named `cpu`, which the usual wheels lack. The interpreter runs the
kernels without any, so one that is never asked will do.
"""

import os

if os.environ.get("TRITON_INTERPRET") == "1":
    from triton.backends import Backend, DriverBase, backends

    class Interpreter(DriverBase):
        @classmethod
        def is_active(cls):
            return False

    backends["cpu"] = Backend(compiler=None, driver=Interpreter)
