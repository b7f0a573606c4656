// Follows a job as a page in a browser does, and prints each event as a line of JSON. `node follow.mjs URL [BREAK_AFTER]`: with BREAK_AFTER,
// the connection is left after so many events, and a second EventSource goes on from there, as after a reload.
import { EventSource } from 'eventsource';

const [url, breakAfter] = process.argv.slice(2);
let seen = 0;

function follow(address) {
  const source = new EventSource(address);
  const show = (event) => {
    console.log(JSON.stringify({ event: event.type, id: event.lastEventId, data: JSON.parse(event.data) }));
    seen += 1;
    if (event.type !== 'progress') {
      // Left open: the platform's 204 must end it.
      process.exitCode = 0;
    } else if (seen === Number(breakAfter)) {
      source.close();
      follow(`${url}&last_event_id=${event.lastEventId}`);
    }
  };
  for (const type of ['progress', 'complete', 'failed']) {
    source.addEventListener(type, (event) => source.readyState !== EventSource.CLOSED && show(event));
  }
  source.addEventListener('error', (error) => {
    // An EventSource that is told to stop is closed; one whose answer has ended asks again by itself.
    if (source.readyState === EventSource.CLOSED) console.log(JSON.stringify({ event: 'closed', code: error.code ?? null }));
  });
}

follow(url);
