/**
 * What is packed, how, and for whom: electron-builder's configuration, with the reason of whatever a reader would undo. `npm run package`
 * uses it; a test holds it against electron-builder's own schema. Native engines are never in it: they live in the user's data folder.
 */

/** Of each tfjs package Node loads one file; the rest is 280 MB of other builds, maps and typings. */
const TFJS = ['tfjs', 'tfjs-backend-cpu', 'tfjs-backend-webgl', 'tfjs-converter', 'tfjs-core', 'tfjs-data', 'tfjs-layers'];
const onlyForNode = TFJS.flatMap((name) => {
  const folder = `node_modules/@tensorflow/${name}`;
  return [`!${folder}/{src,scripts,dist/*/**}`, `!${folder}/dist/!(*.node.js)`];
});

/** Needed to work from a checkout, or only by the install scripts that never run (DECISIONS.md 2). */
const NOT_AT_RUN_TIME = ['esbuild', '@esbuild', '@mapbox', '@types', '@webgpu', 'core-js'];

/** What the engine's addon and our own kernels are compiled from. Compilers do not see into an asar, and electron-builder leaves *.cc out of one. */
const BINDING = 'node_modules/@tensorflow/tfjs-node-gpu/binding';
const HEADERS = 'node_modules/node-api-headers/include';
const KERNELS = 'resources/kernels';

export const config = {
  appId: 'org.prelora.workbench',
  productName: 'PreLoRA Workbench',
  copyright: 'MIT licence',
  directories: { output: 'dist/package', buildResources: 'resources/icons' },
  files: [
    'dist/electron/**',
    'dist/renderer/**',
    'resources/**',
    'package.json',
    '!**/*.{map,ts,mts,cts}',
    ...onlyForNode,
    '!node_modules/@tensorflow/tfjs-backend-wasm/{src,scripts,wasm-out}',
    '!node_modules/@tensorflow/tfjs-backend-wasm/dist/!(*.node.js|*.wasm)',
    '!node_modules/@tensorflow/tfjs-node-gpu/{src,scripts,dist/**/*_test.js}',
    ...NOT_AT_RUN_TIME.map((name) => `!node_modules/${name}`),
  ],
  asar: true,
  // The system's loader does not see into an asar either.
  asarUnpack: ['node_modules/@img/**'],
  extraResources: [BINDING, HEADERS, KERNELS].map((folder) => ({ from: folder, to: `app.asar.unpacked/${folder}` })),
  // N-API addons fit every Node and Electron; nothing is compiled for a package.
  npmRebuild: false,
  electronLanguages: ['en-US'],
  electronFuses: {
    // The engine runs in a utility process and in worker threads, so that the executable need not serve as Node.
    runAsNode: false,
    enableNodeOptionsEnvironmentVariable: false,
    enableNodeCliInspectArguments: false,
    enableCookieEncryption: true,
    // Together: only the app.asar whose hash is in the signed executable is ever run (macOS and Windows; Linux has no such check).
    onlyLoadAppFromAsar: true,
    enableEmbeddedAsarIntegrityValidation: true,
    // The page comes from app://; file:// needs no rights at all.
    grantFileProtocolExtraPrivileges: false,
  },
  // biome-ignore lint/suspicious/noTemplateCurlyInString: electron-builder fills these in
  artifactName: 'prelora-workbench-${version}-${os}-${arch}.${ext}',
  publish: null,
  linux: {
    target: ['AppImage', 'deb'],
    executableName: 'prelora-workbench',
    icon: 'resources/icons/icon.png',
    category: 'Science',
    synopsis: 'Pre-train Vision Transformers with PreLoRA',
    maintainer: 'PreLoRA Workbench <prelora-workbench@localhost>',
  },
  deb: { packageCategory: 'science' },
  // deb asks for a home page; the method's is the only one there is.
  extraMetadata: { homepage: 'https://arxiv.org/abs/2509.21619' },
  win: { target: ['nsis'], icon: 'resources/icons/icon.png' },
  // Per user and without administrator rights; the folder can be chosen. Runs and engines stay when the program goes.
  nsis: { oneClick: false, perMachine: false, allowToChangeInstallationDirectory: true, deleteAppDataOnUninstall: false },
  mac: {
    target: [{ target: 'dmg', arch: ['x64', 'arm64'] }],
    icon: 'resources/icons/icon.png',
    category: 'public.app-category.developer-tools',
    // electron-builder's own entitlements let a hardened app load libraries of others: the engine in the user's folder is one.
    hardenedRuntime: true,
  },
};
