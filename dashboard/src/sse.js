/**
 * Server-sent events from the bytes of a response, however they are cut into pieces. A piece may end
 * inside a character, a line or an event. Only what the feed uses: `event` and `data`; a comment is
 * a sign of life and nothing else.
 *
 * @param {(event: string, data: string) => void} onEvent
 * @param {number} sizeMax characters that one event may have; one that has more is an error
 * @return {(bytes: Uint8Array) => void}
 */
export function sseParser(onEvent, sizeMax = 64 << 20) {
  const decoder = new TextDecoder();
  /** The line that has no end yet, in pieces: joined once, so that a long one costs its length. */
  let pieces = [];
  let size = 0;
  let event = '';
  let data = null;
  let afterReturn = false; // a \n that follows belongs to the \r before it

  function line(text) {
    if (text === '') {
      if (data !== null) onEvent(event || 'message', data);
      event = '';
      data = null;
      size = 0;
      return;
    }
    const colon = text.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? text : text.slice(0, colon);
    let value = colon < 0 ? '' : text.slice(colon + 1);
    if (value.startsWith(' ')) value = value.slice(1);
    if (field === 'event') event = value;
    if (field === 'data') data = data === null ? value : `${data}\n${value}`;
  }

  return (bytes) => {
    const text = decoder.decode(bytes, {stream: true});
    let begin = 0;
    const ends = /\r\n|\r|\n/g;
    if (afterReturn && text !== '') {
      afterReturn = false;
      if (text[0] === '\n') begin = ends.lastIndex = 1;
    }
    for (let end = ends.exec(text); end; end = ends.exec(text)) {
      pieces.push(text.slice(begin, end.index));
      const whole = pieces.length === 1 ? pieces[0] : pieces.join('');
      pieces = [];
      begin = ends.lastIndex;
      if (end[0] === '\r' && begin === text.length) afterReturn = true;
      line(whole);
    }
    if (begin < text.length) pieces.push(text.slice(begin));
    size += text.length;
    if (size > sizeMax) throw new Error(`an event has over ${sizeMax} characters`);
  };
}
