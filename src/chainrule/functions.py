"""The public array functions: NumPy's and the Array API standard's names, on tensors.

The standard's name for each comes first; what it does not have follows NumPy. In differentiable functions gradients of
any order are exact; those of integers and bools have none.
"""

from __future__ import annotations

from . import creation
from .ir.operand import MEANING
from .ops import (
    arrays,
    building,
    complex_functions,
    composite,
    gamma,
    gathers,
    near,
    operators,
    order,
    running,
    searching,
)
from .ops import einsum as contractions
from .ops import elementwise as ew
from .ops.operators import binary, binary_float, floats_only, unary, unary_float
from .tensor import lifted

# -- creation

arange = creation.arange
asarray = creation.asarray
empty = creation.empty
empty_like = creation.empty_like
eye = creation.eye
from_dlpack = creation.from_dlpack
full = creation.full
full_like = creation.full_like
linspace = creation.linspace
ones = creation.ones
ones_like = creation.ones_like
zeros = creation.zeros
zeros_like = creation.zeros_like

# -- elementwise: arithmetic

add = lifted(operators.add)
subtract = lifted(binary(ew.subtract), "subtract", "x - y.")
multiply = lifted(operators.multiply)
divide = lifted(binary_float(ew.divide), "divide", "x / y, in floats.")
floor_divide = lifted(binary(ew.floor_divide), "floor_divide", "The largest whole number not above x / y.")
remainder = lifted(binary(ew.remainder), "remainder", "x - y · floor(x / y): it has the sign of y.")
negative = lifted(unary(ew.negative), "negative", "-x.")
positive = lifted(unary(ew.identity), "positive", "x itself.")
power = lifted(operators.power)
pow = lifted(operators.power, "pow", "x to the power y: the standard's name for power.")
square = lifted(composite.square)
reciprocal = lifted(composite.reciprocal)
multiply_no_nan = lifted(
    binary_float(ew.multiply_no_nan), "multiply_no_nan", "x · y, and 0 where y is 0 whatever x is."
)
abs = lifted(unary(ew.abs), "abs", "|x|; its derivative at 0 is taken as 0.")
real = lifted(complex_functions.real)
imag = lifted(complex_functions.imag)
conj = lifted(complex_functions.conj)
angle = lifted(complex_functions.angle)
polar = lifted(complex_functions.polar)
complex = lifted(complex_functions.make, "complex")
sign = lifted(unary(ew.sign), "sign", "-1, 0 or 1 by the sign of x; of complex numbers x / |x|.")
copysign = lifted(binary_float(ew.copysign), "copysign", "|x| with the sign of y.")
signbit = lifted(composite.signbit)
nextafter = lifted(binary_float(ew.nextafter), "nextafter", "The number of the machine after x on the way to y.")
hypot = lifted(binary_float(ew.hypot), "hypot", "√(x² + y²) without overflow.")

# -- elementwise: exponentials, roots, logarithms

exp = lifted(unary_float(ew.exp), "exp", "e to the power x.")
expm1 = lifted(unary_float(ew.expm1), "expm1", "exp(x) - 1, exact near 0.")
log = lifted(unary_float(ew.log), "log", "Natural logarithm.")
log1p = lifted(unary_float(ew.log1p), "log1p", "log(1 + x), exact near 0.")
log2 = lifted(unary_float(ew.log2), "log2", "Logarithm to the base 2.")
log10 = lifted(unary_float(ew.log10), "log10", "Logarithm to the base 10.")
logaddexp = lifted(binary_float(ew.logaddexp), "logaddexp", "log(exp(x) + exp(y)) without overflow.")
sqrt = lifted(unary_float(ew.sqrt), "sqrt", "Square root.")
rsqrt = lifted(composite.rsqrt)
xlogy = lifted(near.xlogy)

# -- elementwise: trigonometric and hyperbolic

sin = lifted(unary_float(ew.sin), "sin", "Sine of x radians.")
cos = lifted(unary_float(ew.cos), "cos", "Cosine of x radians.")
tan = lifted(unary_float(ew.tan), "tan", "Tangent of x radians.")
asin = lifted(unary_float(ew.asin), "asin", "Inverse sine, in radians.")
acos = lifted(unary_float(ew.acos), "acos", "Inverse cosine, in radians.")
atan = lifted(unary_float(ew.atan), "atan", "Inverse tangent, in radians.")
atan2 = lifted(binary_float(ew.atan2), "atan2", "Angle of the point (y, x), in radians.")
sinh = lifted(unary_float(ew.sinh), "sinh", "Hyperbolic sine.")
cosh = lifted(unary_float(ew.cosh), "cosh", "Hyperbolic cosine.")
tanh = lifted(unary_float(ew.tanh), "tanh", "Hyperbolic tangent.")
asinh = lifted(unary_float(ew.asinh), "asinh", "Inverse hyperbolic sine.")
acosh = lifted(unary_float(ew.acosh), "acosh", "Inverse hyperbolic cosine.")
atanh = lifted(unary_float(ew.atanh), "atanh", "Inverse hyperbolic tangent.")
erf = lifted(unary_float(ew.erf), "erf", "Error function.")
erfc = lifted(unary_float(ew.erfc), "erfc", "1 - erf(x), exact for large x.")
erfinv = lifted(unary_float(ew.erfinv), "erfinv", "Inverse error function.")
lgamma = lifted(gamma.lgamma)
digamma = lifted(gamma.digamma)
polygamma = lifted(gamma.polygamma)

# -- elementwise: choices, rounding, comparisons, bits

maximum = lifted(binary(ew.maximum), "maximum", "The larger of x and y; equal ones share the gradient.")
minimum = lifted(binary(ew.minimum), "minimum", "The smaller of x and y; equal ones share the gradient.")
where = lifted(operators.where)
clip = lifted(composite.clip)
floor = lifted(floats_only(ew.floor), "floor", "The largest whole number not above x.")
ceil = lifted(floats_only(ew.ceil), "ceil", "The smallest whole number not below x.")
round = lifted(floats_only(ew.round), "round", "The nearest whole number; halves go to the even one.")
trunc = lifted(floats_only(ew.trunc), "trunc", "The whole part of x.")
equal = lifted(MEANING["equal"], "equal", "x = y, as bools.")
not_equal = lifted(MEANING["not_equal"], "not_equal", "x ≠ y, as bools.")
less = lifted(MEANING["less"], "less", "x < y, as bools.")
less_equal = lifted(MEANING["less_equal"], "less_equal", "x ≤ y, as bools.")
greater = lifted(MEANING["greater"], "greater", "x > y, as bools.")
greater_equal = lifted(MEANING["greater_equal"], "greater_equal", "x ≥ y, as bools.")
isnan = lifted(unary_float(ew.isnan), "isnan", "Whether x is not a number.")
isinf = lifted(unary_float(ew.isinf), "isinf", "Whether x is infinite.")
isclose = lifted(near.isclose)
allclose = lifted(near.allclose)
nan_to_num = lifted(near.nan_to_num)
isfinite = lifted(unary_float(ew.isfinite), "isfinite", "Whether x is neither infinite nor NaN.")
logical_and = lifted(composite.logical(ew.bitwise_and), "logical_and", "x and y, as bools.")
logical_or = lifted(composite.logical(ew.bitwise_or), "logical_or", "x or y, as bools.")
logical_xor = lifted(composite.logical(ew.bitwise_xor), "logical_xor", "Either x or y, as bools.")
logical_not = lifted(composite.logical_not)
bitwise_and = lifted(binary(ew.bitwise_and), "bitwise_and", "Bits set in both x and y.")
bitwise_or = lifted(binary(ew.bitwise_or), "bitwise_or", "Bits set in x or y.")
bitwise_xor = lifted(binary(ew.bitwise_xor), "bitwise_xor", "Bits set in one of x and y.")
bitwise_invert = lifted(unary(ew.bitwise_invert), "bitwise_invert", "Bits not set in x.")
bitwise_left_shift = lifted(binary(ew.bitwise_left_shift), "bitwise_left_shift", "Bits of x moved up by y places.")
bitwise_right_shift = lifted(binary(ew.bitwise_right_shift), "bitwise_right_shift", "Bits of x moved down by y places.")
astype = lifted(composite.astype)

# -- activations

relu = lifted(unary_float(ew.relu), "relu", "x where positive, else 0; the derivative at 0 is 0.")
sigmoid = lifted(unary_float(ew.sigmoid), "sigmoid", "1 / (1 + exp(-x)), the logistic function.")
log_sigmoid = lifted(composite.log_sigmoid)
softplus = lifted(composite.softplus)
leaky_relu = lifted(composite.leaky_relu)
elu = lifted(composite.elu)
selu = lifted(composite.selu)
celu = lifted(composite.celu)
gelu = lifted(composite.gelu)
silu = lifted(composite.silu)
mish = lifted(composite.mish)
hardtanh = lifted(composite.hardtanh)
hardsigmoid = lifted(composite.hardsigmoid)
hardswish = lifted(composite.hardswish)
softsign = lifted(composite.softsign)
softmax = lifted(composite.softmax)
log_softmax = lifted(composite.log_softmax)
one_hot = lifted(composite.one_hot)

# -- reductions

sum = lifted(arrays.sum)
prod = lifted(arrays.prod)
mean = lifted(arrays.mean)
var = lifted(arrays.var)
std = lifted(arrays.std)
max = lifted(arrays.max)
min = lifted(arrays.min)
all = lifted(arrays.all)
any = lifted(arrays.any)
argmax = lifted(arrays.argmax)
argmin = lifted(arrays.argmin)
logsumexp = lifted(arrays.logsumexp)
cumulative_sum = lifted(arrays.cumulative_sum)
cumulative_prod = lifted(running.cumulative_prod)
diff = lifted(running.diff)
count_nonzero = lifted(searching.count_nonzero)
bincount = lifted(building.bincount)

# -- sorting, searching, sets

argsort = lifted(arrays.argsort)
sort = lifted(gathers.sort)
topk = lifted(order.topk)
median = lifted(order.median)
quantile = lifted(order.quantile)
nonzero = lifted(searching.nonzero)
searchsorted = lifted(searching.searchsorted)
isin = lifted(searching.isin)
unique_all = lifted(searching.unique_all)
unique_counts = lifted(searching.unique_counts)
unique_inverse = lifted(searching.unique_inverse)
unique_values = lifted(searching.unique_values)

# -- shape

reshape = lifted(arrays.reshape)
broadcast_to = lifted(arrays.broadcast_to)
broadcast_arrays = lifted(arrays.broadcast_arrays)
meshgrid = lifted(arrays.meshgrid)
tril = lifted(arrays.tril)
triu = lifted(arrays.triu)
diag = lifted(building.diag)
permute_dims = lifted(arrays.permute_dims)
matrix_transpose = lifted(arrays.matrix_transpose)
moveaxis = lifted(arrays.moveaxis)
swapaxes = lifted(arrays.swapaxes)
expand_dims = lifted(arrays.expand_dims)
squeeze = lifted(arrays.squeeze)
flatten = lifted(arrays.flatten)
flip = lifted(arrays.flip)
roll = lifted(running.roll)
concat = lifted(arrays.concat)
stack = lifted(arrays.stack)
split = lifted(arrays.split)
unstack = lifted(running.unstack)
pad = lifted(arrays.pad)
tile = lifted(running.tile)
repeat = lifted(running.repeat)

# -- products and indexing

matmul = lifted(operators.matmul)
vecdot = lifted(arrays.vecdot)
outer = lifted(arrays.outer)
kron = lifted(building.kron)
tensordot = lifted(arrays.tensordot)
einsum = lifted(contractions.einsum)
take = lifted(gathers.take)
interp = lifted(building.interp)
take_along_axis = lifted(gathers.take_along_axis)
add_along_axis = lifted(gathers.add_along_axis)
scatter_add = lifted(gathers.scatter_add)

# A new function is public by its line above: no second list to keep.
__all__ = [
    name
    for name, each in globals().items()
    if not name.startswith("_") and getattr(each, "__module__", "") in ("chainrule", __name__, creation.__name__)
]
