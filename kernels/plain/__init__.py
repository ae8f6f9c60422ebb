"""The same steps on BLAS, in any dtype: gradient checks, line searches and float64 run on them."""
