/**
 * The kernels as TensorFlow operations, which the compiled step uses in place of several of TensorFlow's own (main/compile). Registered when Node
 * loads this file as an addon; TensorFlow's library must be in the process by then. All tensors are float32 on the CPU and in row order.
 */
#include <initializer_list>
#include <mutex>
#include <string>

#include "adamw.h"
#include "adapter.h"
#include "attention.h"
#include "gelu.h"
#include "gemm.h"
#include "layer_norm.h"
#include "tensorflow_c.h"

namespace {

/** One call of an operation: inputs and outputs as plain memory, freed with it. */
class Call {
 public:
  explicit Call(TF_OpKernelContext* context) : context_(context), status_(TF_NewStatus()) {}
  ~Call() {
    for (TF_Tensor* tensor : tensors_)
      if (tensor) TF_DeleteTensor(tensor);
    TF_DeleteStatus(status_);
  }

  float* input(int index) { return values(tensor(index)); }
  int64_t side(int index, int axis) { return TF_Dim(tensor(index), axis); }
  int64_t size(int index) {
    int64_t size = 1;
    for (int axis = 0; axis < TF_NumDims(tensor(index)); axis++) size *= side(index, axis);
    return size;
  }
  float scalar(int index) { return *input(index); }

  float* output(int index, std::initializer_list<int64_t> dims) {
    int64_t size = 1;
    for (int64_t dim : dims) size *= dim;
    return keep(TF_AllocateOutput(context_, index, TF_FLOAT, dims.begin(), static_cast<int>(dims.size()), 4 * size, status_));
  }

  /** The output in an input's memory when nobody else needs that, else in its own. Ask before `input(from)`: asking for an input is a need. */
  float* output_over(int index, int from, std::initializer_list<int64_t> dims, bool* is_same) {
    int forwarded = -1;
    float* memory = keep(
        TF_ForwardInputOrAllocateOutput(context_, &from, 1, index, dims.begin(), static_cast<int>(dims.size()), &forwarded, status_));
    *is_same = forwarded == from;
    return memory;
  }

  bool fails() const { return TF_GetCode(status_) != TF_OK; }

  void fail(const char* message) { TF_SetStatus(status_, TF_INVALID_ARGUMENT, message); }

  void report() {
    if (fails()) TF_OpKernelContext_Failure(context_, status_);
  }

 private:
  static constexpr int MOST_INPUTS = 12;

  TF_Tensor* tensor(int index) {
    if (!tensors_[index]) TF_GetInput(context_, index, &tensors_[index], status_);
    return tensors_[index];
  }

  float* keep(TF_Tensor* tensor) {
    if (!tensor) return nullptr;
    tensors_[MOST_INPUTS + outputs_++] = tensor;
    return values(tensor);
  }

  static float* values(TF_Tensor* tensor) { return static_cast<float*>(TF_TensorData(tensor)); }

  TF_OpKernelContext* context_;
  TF_Status* status_;
  TF_Tensor* tensors_[MOST_INPUTS + 4] = {};
  int outputs_ = 0;
};

/** Attributes of an operation, read once when its node is made. */
struct Attributes {
  bool transpose_a = false;
  bool transpose_b = false;
  float epsilon = 0;
  float scaling = 0;
  int64_t batch = 0;
  int64_t heads = 0;
};

typedef void (*Compute)(const Attributes&, Call&);

/** What is added to a product: its last input. */
enum class Added { NOTHING, BIAS, ADDEND };

/** The factors that are inputs `first` and the next, and what their product's sides are; fails where they do not fit one another. */
struct Sides {
  int64_t m;
  int64_t depth;
  int64_t n;
  bool fit;

  Sides(const Attributes& with, Call& call, int first)
      : m(call.side(first, with.transpose_a ? 1 : 0)),
        depth(call.side(first, with.transpose_a ? 0 : 1)),
        n(call.side(first + 1, with.transpose_b ? 0 : 1)),
        fit(depth == call.side(first + 1, with.transpose_b ? 1 : 0)) {}
};

Matrix factor(Call& call, int index, bool is_transposed) {
  const int64_t row = call.side(index, 1);
  return is_transposed ? Matrix{call.input(index), 1, row} : Matrix{call.input(index), row, 1};
}

/** Inputs: A and B, in a pair A₂ and B₂, and what is added. */
template <bool IS_PAIR, Added ADDED>
void run_matmul(const Attributes& with, Call& call) {
  constexpr int LAST = IS_PAIR ? 4 : 2;
  const Sides sides(with, call, 0), second(with, call, IS_PAIR ? 2 : 0);
  if (!sides.fit || !second.fit || sides.m != second.m || sides.n != second.n) return call.fail("PreloraMatMul: sides differ");
  bool over_addend = false;
  float* c = ADDED == Added::ADDEND ? call.output_over(0, LAST, {sides.m, sides.n}, &over_addend) : call.output(0, {sides.m, sides.n});
  if (call.fails()) return;
  Product product = {sides.m, sides.n, sides.depth, factor(call, 0, with.transpose_a), factor(call, 1, with.transpose_b), nullptr, nullptr, c};
  if (ADDED == Added::BIAS) product.bias = call.input(LAST);
  if (ADDED == Added::ADDEND) product.addend = over_addend ? c : call.input(LAST);
  if (IS_PAIR) product.second = {factor(call, 2, with.transpose_a), factor(call, 3, with.transpose_b), second.depth};
  multiply(product);
}

void run_adapter_gradient(const Attributes& with, Call& call) {
  const AdapterShape shape = {call.side(0, 0), call.side(0, 1), call.side(1, 1), call.side(2, 1), with.scaling};
  float *da = call.output(0, {shape.inputs, shape.rank}), *db = call.output(1, {shape.rank, shape.outputs});
  if (call.fails()) return;
  adapter_gradient(call.input(0), call.input(1), call.input(2), call.input(3), shape, da, db);
}

void run_gelu(const Attributes&, Call& call) {
  float* y = call.output(0, {call.side(0, 0), call.side(0, 1)});
  if (!call.fails()) gelu(call.input(0), call.size(0), y);
}

void run_gelu_gradient(const Attributes&, Call& call) {
  bool over_g = false;
  float* dx = call.output_over(0, 0, {call.side(1, 0), call.side(1, 1)}, &over_g);
  if (!call.fails()) gelu_gradient(over_g ? dx : call.input(0), call.input(1), call.size(1), dx);
}

void run_layer_norm(const Attributes& with, Call& call) {
  const int64_t rows = call.side(0, 0), d = call.side(0, 1);
  float *y = call.output(0, {rows, d}), *mean = call.output(1, {rows, 1}), *inverse_std = call.output(2, {rows, 1});
  if (!call.fails()) layer_norm(call.input(0), call.input(1), call.input(2), with.epsilon, rows, d, y, mean, inverse_std);
}

void norm_gradient(Call& call, bool with_weights) {
  const int64_t rows = call.side(1, 0), d = call.side(1, 1);
  bool over_g = false;
  float* dx = call.output_over(0, 0, {rows, d}, &over_g);
  float* sums = with_weights ? call.output(1, {2, d}) : nullptr;
  if (call.fails()) return;
  layer_norm_gradient(over_g ? dx : call.input(0), call.input(1), call.input(2), call.input(3), call.input(4), rows, d, dx, sums);
}

void run_layer_norm_gradient(const Attributes&, Call& call) { norm_gradient(call, true); }
void run_layer_norm_input_gradient(const Attributes&, Call& call) { norm_gradient(call, false); }

AttentionShape attention_shape(const Attributes& with, Call& call, int q, int k) {
  const int64_t head_width = call.side(q, 1) / with.heads;
  const float scale = 1 / std::sqrt(static_cast<float>(head_width));
  return {with.batch, with.heads, call.side(q, 0) / with.batch, call.side(k, 0) / with.batch, head_width, scale};
}

void run_attention(const Attributes& with, Call& call) {
  const AttentionShape shape = attention_shape(with, call, 0, 1);
  float* out = call.output(0, {call.side(0, 0), call.side(0, 1)});
  float* log_sums = call.output(1, {shape.batch, shape.heads, shape.queries});
  if (!call.fails()) attention(call.input(0), call.input(1), call.input(2), shape, out, log_sums);
}

void run_attention_gradient(const Attributes& with, Call& call) {
  const AttentionShape shape = attention_shape(with, call, 1, 2);
  float *dq = call.output(0, {call.side(1, 0), call.side(1, 1)}), *dk = call.output(1, {call.side(2, 0), call.side(2, 1)}),
        *dv = call.output(2, {call.side(3, 0), call.side(3, 1)});
  if (call.fails()) return;
  attention_gradient(call.input(0), call.input(1), call.input(2), call.input(3), call.input(4), shape, dq, dk, dv);
}

/**
 * The first three inputs are reads of variables, which share the variables' memory: writing there is the update. The graph must order this after
 * everything else that reads them, and no two variables may share memory (main/compile/variableWrites.ts sees to both).
 */
void run_adamw(const Attributes&, Call& call) {
  const AdamWScalars scalars = {call.scalar(4), call.scalar(5), call.scalar(6), call.scalar(7), call.scalar(8), call.scalar(9)};
  if (call.size(0) != call.size(3)) return call.fail("PreloraAdamW: gradient and parameter differ in size");
  adamw(call.input(0), call.input(1), call.input(2), call.input(3), call.size(0), scalars);
}

struct Operation {
  const char* name;
  std::initializer_list<const char*> inputs;
  std::initializer_list<const char*> outputs;
  std::initializer_list<const char*> attributes;
  Compute compute;
  bool changes_state;
};

const std::initializer_list<const char*> TRANSPOSES = {"transpose_a: bool", "transpose_b: bool"};
const std::initializer_list<const char*> HEADS = {"batch: int", "heads: int"};

const Operation MATMUL = {"PreloraMatMul", {"a: float", "b: float"}, {"c: float"}, TRANSPOSES, run_matmul<false, Added::NOTHING>, false};
const Operation MATMUL_BIAS = {
    "PreloraMatMulBias", {"a: float", "b: float", "bias: float"}, {"c: float"}, TRANSPOSES, run_matmul<false, Added::BIAS>, false};
const Operation MATMUL_ADD = {
    "PreloraMatMulAdd", {"a: float", "b: float", "addend: float"}, {"c: float"}, TRANSPOSES, run_matmul<false, Added::ADDEND>, false};
const Operation MATMUL_PAIR = {"PreloraMatMulPair",
                               {"a: float", "b: float", "a2: float", "b2: float"},
                               {"c: float"},
                               TRANSPOSES,
                               run_matmul<true, Added::NOTHING>,
                               false};
const Operation MATMUL_PAIR_BIAS = {"PreloraMatMulPairBias",
                                    {"a: float", "b: float", "a2: float", "b2: float", "bias: float"},
                                    {"c: float"},
                                    TRANSPOSES,
                                    run_matmul<true, Added::BIAS>,
                                    false};
const Operation MATMUL_PAIR_ADD = {"PreloraMatMulPairAdd",
                                   {"a: float", "b: float", "a2: float", "b2: float", "addend: float"},
                                   {"c: float"},
                                   TRANSPOSES,
                                   run_matmul<true, Added::ADDEND>,
                                   false};
const Operation ADAPTER_GRADIENT = {
    "PreloraAdapterGrad", {"x: float", "g: float", "a: float", "b: float"}, {"da: float", "db: float"}, {"scaling: float"}, run_adapter_gradient, false};
const Operation GELU = {"PreloraGelu", {"x: float"}, {"y: float"}, {}, run_gelu, false};
const Operation GELU_GRADIENT = {"PreloraGeluGrad", {"g: float", "x: float"}, {"dx: float"}, {}, run_gelu_gradient, false};
const Operation LAYER_NORM = {"PreloraLayerNorm",
                              {"x: float", "weight: float", "bias: float"},
                              {"y: float", "mean: float", "inverse_std: float"},
                              {"epsilon: float"},
                              run_layer_norm,
                              false};
const Operation LAYER_NORM_GRADIENT = {"PreloraLayerNormGrad",
                                       {"g: float", "x: float", "mean: float", "inverse_std: float", "weight: float"},
                                       {"dx: float", "sums: float"},
                                       {},
                                       run_layer_norm_gradient,
                                       false};
const Operation LAYER_NORM_INPUT_GRADIENT = {"PreloraLayerNormInputGrad",
                                             {"g: float", "x: float", "mean: float", "inverse_std: float", "weight: float"},
                                             {"dx: float"},
                                             {},
                                             run_layer_norm_input_gradient,
                                             false};
const Operation ATTENTION = {
    "PreloraAttention", {"q: float", "k: float", "v: float"}, {"out: float", "log_sums: float"}, HEADS, run_attention, false};
const Operation ATTENTION_GRADIENT = {"PreloraAttentionGrad",
                                      {"g: float", "q: float", "k: float", "v: float", "log_sums: float"},
                                      {"dq: float", "dk: float", "dv: float"},
                                      HEADS,
                                      run_attention_gradient,
                                      false};
const Operation ADAMW = {"PreloraAdamW",
                         {"parameter: float", "m: float", "v: float", "gradient: float", "clip: float", "beta1: float", "beta2: float",
                          "step_size: float", "epsilon: float", "decay: float"},
                         {},
                         {},
                         run_adamw,
                         true};

template <const Operation& OPERATION>
void* create(TF_OpKernelConstruction* construction) {
  Attributes* attributes = new Attributes();
  TF_Status* status = TF_NewStatus();
  for (const char* spec : OPERATION.attributes) {
    const std::string name = std::string(spec).substr(0, std::string(spec).find(':'));
    unsigned char flag = 0;
    if (name == "transpose_a" || name == "transpose_b") {
      TF_OpKernelConstruction_GetAttrBool(construction, name.c_str(), &flag, status);
      (name == "transpose_a" ? attributes->transpose_a : attributes->transpose_b) = flag != 0;
    } else if (name == "epsilon" || name == "scaling") {
      float* value = name == "epsilon" ? &attributes->epsilon : &attributes->scaling;
      TF_OpKernelConstruction_GetAttrFloat(construction, name.c_str(), value, status);
    } else {
      TF_OpKernelConstruction_GetAttrInt64(construction, name.c_str(), name == "batch" ? &attributes->batch : &attributes->heads, status);
    }
    if (TF_GetCode(status) != TF_OK) TF_OpKernelConstruction_Failure(construction, status);
  }
  TF_DeleteStatus(status);
  return attributes;
}

template <const Operation& OPERATION>
void compute(void* attributes, TF_OpKernelContext* context) {
  Call call(context);
  OPERATION.compute(*static_cast<Attributes*>(attributes), call);
  call.report();
}

void destroy(void* attributes) { delete static_cast<Attributes*>(attributes); }

/** False when TensorFlow refuses. */
template <const Operation& OPERATION>
bool add() {
  TF_OpDefinitionBuilder* definition = TF_NewOpDefinitionBuilder(OPERATION.name);
  for (const char* input : OPERATION.inputs) TF_OpDefinitionBuilderAddInput(definition, input);
  for (const char* output : OPERATION.outputs) TF_OpDefinitionBuilderAddOutput(definition, output);
  for (const char* attribute : OPERATION.attributes) TF_OpDefinitionBuilderAddAttr(definition, attribute);
  TF_OpDefinitionBuilderSetIsStateful(definition, OPERATION.changes_state);
  TF_OpDefinitionBuilderSetShapeInferenceFunction(definition, TF_ShapeInferenceContextSetUnknownShape);
  TF_Status* status = TF_NewStatus();
  TF_RegisterOpDefinition(definition, status);
  bool is_added = TF_GetCode(status) == TF_OK;
  if (is_added) {
    TF_RegisterKernelBuilder(
        OPERATION.name, TF_NewKernelBuilder(OPERATION.name, "CPU", create<OPERATION>, compute<OPERATION>, destroy), status);
    is_added = TF_GetCode(status) == TF_OK;
  }
  TF_DeleteStatus(status);
  return is_added;
}

bool add_all() {
  return add<MATMUL>() && add<MATMUL_BIAS>() && add<MATMUL_ADD>() && add<MATMUL_PAIR>() && add<MATMUL_PAIR_BIAS>() && add<MATMUL_PAIR_ADD>() &&
         add<ADAPTER_GRADIENT>() && add<GELU>() && add<GELU_GRADIENT>() && add<LAYER_NORM>() && add<LAYER_NORM_GRADIENT>() &&
         add<LAYER_NORM_INPUT_GRADIENT>() && add<ATTENTION>() && add<ATTENTION_GRADIENT>() && add<ADAMW>();
}

}  // namespace

extern "C" {
/** Node's version of the interface; declared by hand like TensorFlow's. */
struct napi_env__;
struct napi_value__;
int napi_throw_error(napi_env__*, const char* code, const char* message);

/** Called by every thread of Node that loads the addon; the operations belong to the process. */
__attribute__((visibility("default"))) napi_value__* napi_register_module_v1(napi_env__* env, napi_value__* exports) {
  static const bool is_added = add_all();
  if (!is_added) napi_throw_error(env, nullptr, "TensorFlow refused the kernels' registration");
  return exports;
}

__attribute__((visibility("default"))) int32_t node_api_module_get_api_version_v1() { return 8; }
}
