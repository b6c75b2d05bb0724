"""Check of a SavedModel's operations, without loading the SavedModel.

TensorFlow runs the graph of a SavedModel, and a graph may read and write files or call
the host. A SavedModel is safe to load if all of its operations are in `SAFE`. The
functions that save and restore the model's own variables also need `SAVER`. TensorFlow
does not call them when it loads a model, so they must not be reached in another way.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from typing import Any

from keras_gans.errors import UserError

# Operations that compute values or use variables, and do nothing else. Operations that
# are missing here are refused: "ImmutableConst" reads a file, "Abort" ends the process.
SAFE = frozenset(
    """
    Abs AccumulateNV2 Acos Acosh Add AddN AddV2 AdjustContrastv2 AdjustHue
    AdjustSaturation All Angle Any ApproximateEqual ArgMax ArgMin AsString Asin Asinh
    Assert AssignAddVariableOp AssignSubVariableOp AssignVariableOp Atan Atan2 Atanh
    AvgPool AvgPool3D AvgPool3DGrad AvgPoolGrad BatchMatMul BatchMatMulV2 BatchMatMulV3
    BatchToSpace BatchToSpaceND BesselI0 BesselI0e BesselI1 BesselI1e Betainc BiasAdd
    BiasAddGrad Bincount Bitcast BitwiseAnd BitwiseOr BitwiseXor BroadcastArgs
    BroadcastGradientArgs BroadcastTo Bucketize Case Cast Ceil CheckNumerics
    CheckNumericsV2 Cholesky CholeskyGrad ClipByValue CombinedNonMaxSuppression Complex
    ComplexAbs Concat ConcatOffset ConcatV2 Conj ConjugateTranspose Const Conv2D
    Conv2DBackpropFilter Conv2DBackpropInput Conv3D Conv3DBackpropFilterV2
    Conv3DBackpropInputV2 Cos Cosh CropAndResize Cross Cumprod Cumsum
    CumulativeLogsumexp DataFormatDimMap DataFormatVecPermute DecodeImage DecodeJpeg
    DecodePng DenseBincount DepthToSpace DepthwiseConv2dNative
    DepthwiseConv2dNativeBackpropFilter DepthwiseConv2dNativeBackpropInput Diag DiagPart
    Digamma Dilation2D DisableCopyOnRead Div DivNoNan Einsum Elu EluGrad
    EmptyTensorList EncodeJpeg EncodePng EnsureShape Equal Erf Erfc Erfinv
    EuclideanNorm Exp ExpandDims Expm1 ExtractImagePatches ExtractVolumePatches FFT
    FFT2D FFT3D FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars
    FakeQuantWithMinMaxVarsPerChannel Fill Floor FloorDiv FloorMod FusedBatchNorm
    FusedBatchNormGradV3 FusedBatchNormV2 FusedBatchNormV3 Gather GatherNd GatherV2
    Greater GreaterEqual HSVToRGB HistogramFixedWidth IFFT IFFT2D IFFT3D IRFFT IRFFT2D
    IRFFT3D Identity IdentityN If Igamma Igammac Imag ImageProjectiveTransformV2
    ImageProjectiveTransformV3 InTopKV2 Inv Invert InvertPermutation IsFinite IsInf
    IsNan L2Loss LRN LeakyRelu LeakyReluGrad LeftShift Less LessEqual Lgamma LinSpace
    ListDiff Log Log1p LogMatrixDeterminant LogSoftmax LogicalAnd LogicalNot LogicalOr
    LowerBound Lu MatMul MatrixBandPart MatrixDeterminant MatrixDiag MatrixDiagPart
    MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3 MatrixInverse
    MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3 MatrixSolve MatrixSolveLs
    MatrixTriangularSolve Max MaxPool MaxPool3D MaxPool3DGrad MaxPoolGrad MaxPoolV2
    MaxPoolWithArgmax Maximum Mean Min Minimum MirrorPad MirrorPadGrad Mod Mul
    MulNoNan Multinomial Ndtri Neg NextAfter NoOp NonMaxSuppressionV3 NotEqual
    NthElement OneHot OnesLike Pack Pad PadV2 ParallelConcat PartitionedCall Placeholder
    PlaceholderWithDefault Polygamma PopulationCount Pow PreventGradient Prod Qr RFFT
    RFFT2D RFFT3D RGBToHSV RandomGamma RandomPoissonV2 RandomShuffle
    RandomStandardNormal RandomUniform RandomUniformInt Range Rank ReadVariableOp Real
    RealDiv Reciprocal ReciprocalGrad Relu Relu6 Relu6Grad ReluGrad Reshape ResizeArea
    ResizeBicubic ResizeBilinear ResizeBilinearGrad ResizeNearestNeighbor
    ResizeNearestNeighborGrad ResourceGather ResourceGatherNd ResourceScatterAdd
    ResourceScatterUpdate Reverse ReverseSequence ReverseV2 RightShift Rint Roll Round
    Rsqrt RsqrtGrad ScaleAndTranslate ScaleAndTranslateGrad ScatterNd SegmentMaxV2
    SegmentMean SegmentMinV2 SegmentProdV2 SegmentSumV2 Select SelectV2 SelfAdjointEigV2
    Selu SeluGrad Shape ShapeN Sigmoid SigmoidGrad Sign Sin Sinh Size Slice Snapshot
    Softmax SoftmaxCrossEntropyWithLogits Softplus SoftplusGrad Softsign SoftsignGrad
    SpaceToBatch SpaceToBatchND SpaceToDepth SparseSoftmaxCrossEntropyWithLogits Split
    SplitV Sqrt SqrtGrad Square SquaredDifference Squeeze StatefulPartitionedCall
    StatelessCase StatelessIf StatelessMultinomial StatelessParameterizedTruncatedNormal
    StatelessRandomBinomial StatelessRandomGammaV2 StatelessRandomGammaV3
    StatelessRandomGetAlg StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg
    StatelessRandomNormal StatelessRandomNormalV2 StatelessRandomPoisson
    StatelessRandomUniform StatelessRandomUniformFullInt StatelessRandomUniformFullIntV2
    StatelessRandomUniformInt StatelessRandomUniformIntV2 StatelessRandomUniformV2
    StatelessShuffle StatelessTruncatedNormal StatelessTruncatedNormalV2 StatelessWhile
    StaticRegexFullMatch StopGradient StridedSlice StridedSliceGrad StringFormat
    StringJoin Sub Sum Svd Tan Tanh TanhGrad TensorListConcatV2 TensorListElementShape
    TensorListFromTensor TensorListGather TensorListGetItem TensorListLength
    TensorListPopBack TensorListPushBack TensorListReserve TensorListResize
    TensorListScatter TensorListScatterIntoExistingList TensorListScatterV2
    TensorListSetItem TensorListSplit TensorListStack TensorScatterAdd TensorScatterMax
    TensorScatterMin TensorScatterSub TensorScatterUpdate Tile TopKV2 Transpose
    TruncateDiv TruncateMod TruncatedNormal Unique UniqueV2 UniqueWithCounts Unpack
    UnravelIndex UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd
    UnsortedSegmentSum UpperBound VarHandleOp VarIsInitializedOp VariableShape Where
    While Xdivy Xlog1py Xlogy ZerosLike Zeta
    """.split()
)
OPERATION = re.compile("_*[A-Z][A-Za-z0-9]*")  # names of operations
# Operations on the files of the model's own variables.
SAVER = frozenset("MergeV2Checkpoints RestoreV2 SaveV2 ShardedFilename".split())


def check_operations(path: str) -> None:
    """Check that a SavedModel has no operations that reach outside the model.

    Args:
        path: Folder of the SavedModel.

    Raises:
        UserError: If the SavedModel has other operations than `SAFE`.
        OSError: If saved_model.pb cannot be read.
        google.protobuf.message.DecodeError: If saved_model.pb is damaged.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    with open(os.path.join(path, "saved_model.pb"), "rb") as file:
        model = saved_model_pb2.SavedModel.FromString(file.read())
    if not model.meta_graphs:
        raise OSError("saved_model.pb holds no graph")
    # TensorFlow runs the saver of other SavedModels, of its version 1, at loading.
    if [graph.HasField("object_graph_def") for graph in model.meta_graphs] != [True]:
        raise UserError(
            f"{path}: expected a SavedModel of one graph that TensorFlow 2 wrote; pass "
            "--allow_code (in Python: allow_code=True) to run another one, if you "
            "trust its author"
        )
    unsafe = _unsafe(model.meta_graphs[0])
    if unsafe:
        names = sorted(name[:40] for name in unsafe)
        more = f" and {len(names) - 5} others" if len(names) > 5 else ""
        raise UserError(
            f"{path}: the SavedModel has operations that may do more than compute, "
            f"such as read or write files: {', '.join(names[:5])}{more}; pass "
            "--allow_code (in Python: allow_code=True) to run it, if you trust its "
            "author"
        )


def _unsafe(graph: Any) -> set[str]:
    """Return the names of a MetaGraphDef's operations that are not safe."""
    library = graph.graph_def.library
    functions = {f.signature.name: list(f.node_def) for f in library.function}
    # Two nodes of the graph call the functions of the saver, and nothing else may.
    saver = graph.saver_def
    ends = (saver.save_tensor_name, saver.restore_op_name)
    callers = {name.partition(":")[0] for name in ends if name}
    nodes = list(graph.graph_def.node)
    of_saver = _reached([n for n in nodes if n.name in callers], functions)
    outside = [n for n in nodes if n.name not in callers]
    for name in (functions.keys() - of_saver) | _named(graph.object_graph_def):
        outside += functions.get(name, [])
    for gradient in library.gradient:
        outside += functions.get(gradient.gradient_func, [])
    for name in _reached(outside, functions):
        outside += functions[name]
    # A function may not hide an operation of its name.
    known = SAFE | {name for name in functions if not OPERATION.fullmatch(name)}
    unsafe = {node.op for node in outside} - known
    for name in of_saver:
        unsafe |= {node.op for node in functions[name]} - known - SAVER
    unsafe |= {n.op for n in nodes if n.name in callers} - known
    return unsafe


def _named(objects: Any) -> set[str]:
    """Return the names of the functions that a SavedModel's objects hold."""
    names = set(objects.concrete_functions)
    for node in objects.nodes:
        names.update(node.function.concrete_functions)
        names.add(node.bare_concrete_function.concrete_function_name)
    return names


def _reached(nodes: Iterable[Any], functions: dict[str, list]) -> Collection[str]:
    """Return the names of all functions that some nodes call, directly or not."""
    reached: set[str] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        names = {node.op}  # a node may have a function's name as its operation
        values = list(node.attr.values())
        while values:
            value = values.pop()
            for function in (value.func, *value.list.func):
                names.add(function.name)
                values += function.attr.values()
        for name in (names & functions.keys()) - reached:
            reached.add(name)
            waiting += functions[name]
    return reached
