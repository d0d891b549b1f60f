/** What `npm run test:e2e` runs and `npm test` does not: the page in a real browser, the desktop app in a real Electron, runs in real trainer processes. */
export const END_TO_END_FILES = [
  'test/e2e/**/*.test.ts',
  'test/electron/deaths.test.ts',
  'test/electron/desktop.test.ts',
  'test/electron/everyday.test.ts',
  'test/electron/firstRun.test.ts',
  'test/electron/packaged.test.ts',
  'test/electron/security.test.ts',
  'test/electron/start.test.ts',
  'test/host/liveRun.test.ts',
];
