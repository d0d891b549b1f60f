/**
 * Where the native engine comes from, as data: files with sizes and checksums, what of them is needed, and where it goes in an engine's folder.
 * Wheels: PyPI `tensorflow-cpu` / `tensorflow` 2.21.0 for CPython 3.11 (the C library in it does not depend on Python) and, for the GPU, the
 * CUDA wheels that `tensorflow[and-cuda]` 2.21.0 requires, newest in range on 2026-11-23. Archives: what tfjs-node 4.22 downloads by itself.
 * The GPU recipe and all archives are untested: no GPU and no such host could be reached where this was written.
 */
import type { EngineVariant } from '../protocol/engine.ts';

/** Members whose name begins with `from` are unpacked with that beginning replaced by `to`. */
export interface MemberRule {
  from: string;
  to: string;
}

export interface Wheel {
  project: string;
  version: string;
  file: string;
  bytes: number;
  sha256: string;
  members: MemberRule[];
}

export interface WheelRecipe {
  variant: EngineVariant;
  version: string;
  /** `process.platform`-`process.arch`. */
  platform: string;
  wheels: Wheel[];
  /** Symbolic links inside `deps/lib`: name → target. The linker looks for the first, tfjs-node's prebuilt addon for the second. */
  links: Record<string, string>;
  /** Free space wanted: downloads, and everything unpacked. */
  diskBytes: number;
}

/** tfjs-node's own libtensorflow and addon. Upstream publishes no checksums: only HTTPS vouches for them. */
export interface ArchiveRecipe {
  variant: EngineVariant;
  platform: string;
  version: string;
  library: string;
  addon: string;
  diskBytes: number;
}

export interface EngineSources {
  /** Base of a PEP 503/691 simple index. */
  index: string;
  wheels: WheelRecipe[];
  archives: ArchiveRecipe[];
}

const GB = 1e9;
const VERSION = '2.21.0';

const LINKS = {
  'libtensorflow.so': 'libtensorflow_cc.so.2',
  'libtensorflow.so.2': 'libtensorflow_cc.so.2',
  'libtensorflow_framework.so': 'libtensorflow_framework.so.2',
};

/** The library, and the headers that tfjs-node's binding includes, directly or not. */
const TENSORFLOW_MEMBERS: MemberRule[] = [
  { from: 'tensorflow/libtensorflow_cc.so', to: 'deps/lib/libtensorflow_cc.so' },
  { from: 'tensorflow/libtensorflow_framework.so', to: 'deps/lib/libtensorflow_framework.so' },
  ...['tensorflow/c/', 'tensorflow/core/platform/ctstring', 'tsl/', 'xla/tsl/'].map((part) => ({
    from: `tensorflow/include/${part}`,
    to: `deps/include/${part}`,
  })),
];

const libraries = (folder: string): MemberRule[] => [{ from: `nvidia/${folder}/lib/`, to: 'deps/lib/' }];

function cudaWheel(name: string, version: string, tag: string, bytes: number, sha256: string, members = libraries(name)): Wheel {
  const project = `nvidia-${name.replaceAll('_', '-')}-cu12`;
  return { project, version, file: `nvidia_${name}_cu12-${version}-py3-none-${tag}.whl`, bytes, sha256, members };
}

const MANYLINUX_2_12 = 'manylinux2010_x86_64.manylinux_2_12_x86_64';
const MANYLINUX_2_17 = 'manylinux2014_x86_64.manylinux_2_17_x86_64';
const MANYLINUX_2_25 = 'manylinux_2_25_x86_64';
const MANYLINUX_2_27 = 'manylinux_2_27_x86_64';

/** What XLA and the PTX path need of nvcc: the assembler and the device library. */
const NVCC_MEMBERS: MemberRule[] = [
  { from: 'nvidia/cuda_nvcc/bin/ptxas', to: 'deps/cuda/bin/ptxas' },
  { from: 'nvidia/cuda_nvcc/nvvm/libdevice/', to: 'deps/cuda/nvvm/libdevice/' },
];

const CUDA_WHEELS: Wheel[] = [
  cudaWheel('cublas', '12.9.3.13', MANYLINUX_2_27, 581217458, 'd7d51055f161b317c7105ddaae90e71eda059026074ffef93cf7cde2886bfe72'),
  cudaWheel('cuda_cupti', '12.9.79', MANYLINUX_2_25, 10814997, '096bcf334f13e1984ba36685ad4c1d6347db214de03dbb6eebb237b41d9d934f'),
  cudaWheel(
    'cuda_nvcc',
    '12.9.86',
    MANYLINUX_2_12,
    40546229,
    '5d6a0d32fdc7ea39917c20065614ae93add6f577d840233237ff08e9a38f58f0',
    NVCC_MEMBERS,
  ),
  cudaWheel('cuda_nvrtc', '12.9.86', MANYLINUX_2_12, 89568129, '210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4'),
  cudaWheel('cuda_runtime', '12.9.79', MANYLINUX_2_17, 3493179, '25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3'),
  cudaWheel('cudnn', '9.28.0.42', MANYLINUX_2_27, 716538495, '9ff58b7f36dacd0a93e89f8f2957b52466889217963701daa15e577317cfa375'),
  cudaWheel('cufft', '11.4.1.4', MANYLINUX_2_17, 200877592, 'c67884f2a7d276b4b80eb56a79322a95df592ae5e765cf1243693365ccab4e28'),
  cudaWheel('curand', '10.3.10.19', MANYLINUX_2_27, 68295626, '49b274db4780d421bd2ccd362e1415c13887c53c214f0d4b761752b8f9f6aa1e'),
  cudaWheel('cusolver', '11.7.5.82', MANYLINUX_2_27, 338117415, '15da72d1340d29b5b3cf3fd100e3cd53421dde36002eda6ed93811af63c40d88'),
  cudaWheel('cusparse', '12.5.10.65', MANYLINUX_2_17, 366465088, '73060ce019ac064a057267c585bf1fd5a353734151f87472ff02b2c5c9984e78'),
  cudaWheel('nccl', '2.32.3', MANYLINUX_2_27, 351526311, 'bb94b2348e4861d5e8aa00b36c3d12d9bdf9c6369b82cbb723de0b582280a21c'),
  cudaWheel('nvjitlink', '12.9.86', MANYLINUX_2_12, 39748338, 'e3f1171dbdc83c5932a45f0f4c99180a70de9bd2718c1ab77d14104f6d7147f9'),
];

const CPU_RECIPE: WheelRecipe = {
  variant: 'cpu',
  version: VERSION,
  platform: 'linux-x64',
  wheels: [
    {
      project: 'tensorflow-cpu',
      version: VERSION,
      file: `tensorflow_cpu-${VERSION}-cp311-cp311-${MANYLINUX_2_27}.whl`,
      bytes: 273829956,
      sha256: '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
      members: TENSORFLOW_MEMBERS,
    },
  ],
  links: LINKS,
  diskBytes: 1.5 * GB,
};

const GPU_RECIPE: WheelRecipe = {
  variant: 'gpu',
  version: VERSION,
  platform: 'linux-x64',
  wheels: [
    {
      project: 'tensorflow',
      version: VERSION,
      file: `tensorflow-${VERSION}-cp311-cp311-${MANYLINUX_2_27}.whl`,
      bytes: 572440367,
      sha256: '9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124',
      members: TENSORFLOW_MEMBERS,
    },
    ...CUDA_WHEELS,
  ],
  links: LINKS,
  diskBytes: 12 * GB,
};

const HOST = 'https://storage.googleapis.com';
const LIBTENSORFLOW = '2.9.1';

function archive(variant: EngineVariant, platform: string, system: string, extension = 'tar.gz'): ArchiveRecipe {
  const addonName = `${variant.toUpperCase()}-${system.split('-')[0]}-4.22.0.${extension}`;
  return {
    variant,
    platform,
    version: LIBTENSORFLOW,
    library: `${HOST}/tensorflow/libtensorflow/libtensorflow-${variant}-${system}-${LIBTENSORFLOW}.${extension}`,
    addon: `${HOST}/tf-builds/pre-built-binary/napi-v8/4.22.0/${addonName}`,
    diskBytes: variant === 'gpu' ? 3 * GB : GB,
  };
}

export const engineSources: EngineSources = {
  index: 'https://pypi.org/simple/',
  wheels: [CPU_RECIPE, GPU_RECIPE],
  archives: [
    archive('cpu', 'linux-x64', 'linux-x86_64'),
    archive('gpu', 'linux-x64', 'linux-x86_64'),
    archive('cpu', 'darwin-x64', 'darwin-x86_64'),
    archive('cpu', 'win32-x64', 'windows-x86_64', 'zip'),
    archive('gpu', 'win32-x64', 'windows-x86_64', 'zip'),
  ],
};
