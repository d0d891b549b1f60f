/** A WebSocket as a Port: JSON text, one message per frame, with limits on what one page may send. */
import type { WebSocket } from 'ws';
import { type Port, portOver } from '../host/port.ts';
import { isRequest } from '../host/rpc.ts';
import { parseJson } from '../store/json.ts';

/** Policy violation, RFC 6455 section 7.4.1. */
const POLICY_VIOLATION = 1008;
/** A page asks a few times per second; its acknowledgements come at most 12 times. */
const MESSAGES_PER_SECOND = 200;
/** More than this unsent means that the page does not read: frames stop by themselves, and pushes must not pile up. */
const UNSENT_BYTES = 64 << 20;

export function webSocketPort(socket: WebSocket, now: () => number = () => performance.now()): Port {
  const { port, deliver, closed } = portOver({
    send(message) {
      if (socket.bufferedAmount > UNSENT_BYTES) socket.terminate();
      else socket.send(JSON.stringify(message));
    },
    shut: () => socket.close(),
  });
  const isWithinRate = rateLimit(now);
  socket.on('message', (data, isBinary) => {
    const message = isBinary ? undefined : parseJson(String(data));
    if (!isRequest(message) || !isWithinRate()) socket.close(POLICY_VIOLATION, 'not a request, or too many');
    else deliver(message);
  });
  // What went wrong is told by `close`, which always follows.
  socket.on('error', () => {});
  socket.on('close', () => closed('the page closed its connection'));
  return port;
}

/** A bucket that holds one second's worth and fills steadily. */
function rateLimit(now: () => number): () => boolean {
  let left = MESSAGES_PER_SECOND;
  let last = now();
  return () => {
    const time = now();
    left = Math.min(MESSAGES_PER_SECOND, left + ((time - last) * MESSAGES_PER_SECOND) / 1000);
    last = time;
    left -= 1;
    return left >= 0;
  };
}
