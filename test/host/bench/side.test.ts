/** The line protocol against children written in one line of JavaScript. */
import { expect, onTestFinished, test } from 'vitest';
import { Side } from '../../../main/host/bench/side.ts';

function childRunning(program: string): Side {
  const side = new Side(process.execPath, ['-e', program], {});
  onTestFinished(() => side.close());
  return side;
}

const ECHO = `require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  console.log('a library says hello');
  console.log(JSON.stringify({ ms: JSON.parse(line).do.length, loss: 0 }));
});`;

test('answers come in order, and lines that are no answer are passed over', async () => {
  const side = childRunning(ECHO);
  expect(await side.ask('step', {})).toEqual({ ms: 4, loss: 0 });
  expect(await side.ask('memory', {})).toEqual({ ms: 6, loss: 0 });
});

test('a failure is told in the words of the child', async () => {
  const side = childRunning(`process.stdin.on('data', () => console.log('{"error":"not installed: torch"}'))`);
  await expect(side.ask('versions', {})).rejects.toMatchObject({ code: 'engine-failed', message: 'versions: not installed: torch' });
});

test('a child that ends leaves no request waiting', async () => {
  const side = childRunning(`process.stdin.once('data', () => process.exit(1))`);
  await expect(side.ask('step', {})).rejects.toThrow('ended while it was asked for step');
});

test('a program that is not there is told, not thrown at the process', async () => {
  const side = new Side('/nonexistent/python', [], {});
  await expect(side.ask('versions', {})).rejects.toThrow('/nonexistent/python ended');
  await side.close();
});
