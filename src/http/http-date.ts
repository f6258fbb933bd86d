/** The three date forms of HTTP (RFC 9110, section 5.6.7), strictly: what is not exactly one of them is not a date. */

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const LONG_DAY = '(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)';
const MONTH = `(${MONTHS.join('|')})`;
const TIME = '(\\d{2}):(\\d{2}):(\\d{2})';
const IMF_FIXDATE = new RegExp(`^${DAY}, (\\d{2}) ${MONTH} (\\d{4}) ${TIME} GMT$`);
const RFC850 = new RegExp(`^${LONG_DAY}, (\\d{2})-${MONTH}-(\\d{2}) ${TIME} GMT$`);
const ASCTIME = new RegExp(`^${DAY} ${MONTH} ([ \\d]\\d) ${TIME} (\\d{4})$`);

/** Milliseconds since the epoch, or `undefined`. `now` says which century a year of two digits belongs to. */
export function httpDate(text: string, now: number): number | undefined {
  const imf = IMF_FIXDATE.exec(text);
  if (imf) return time(Number(imf[3]), imf[2], imf[1], imf[4], imf[5], imf[6]);
  const asctime = ASCTIME.exec(text);
  if (asctime) return time(Number(asctime[6]), asctime[1], asctime[2], asctime[3], asctime[4], asctime[5]);
  const rfc850 = RFC850.exec(text);
  if (!rfc850) return undefined;
  const year = new Date(now).getUTCFullYear();
  let full = Math.floor(year / 100) * 100 + Number(rfc850[3]);
  // More than 50 years ahead means the most recent year with these digits.
  if (full > year + 50) full -= 100;
  return time(full, rfc850[2], rfc850[1], rfc850[4], rfc850[5], rfc850[6]);
}

function time(year: number, month = '', day = '', hour = '', minute = '', second = ''): number | undefined {
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return undefined;
  const date = new Date(Date.UTC(2000, MONTHS.indexOf(month), Number(day), Number(hour), Number(minute), Number(second)));
  date.setUTCFullYear(year);
  return date.getUTCDate() === Number(day) || Number(second) === 60 ? date.getTime() : undefined;
}
