import React, { useEffect, useState } from 'react';

// Minutes of the last seven days by user, as bars. The command does the sums; here they are only shown.
export default function UsageWidget() {
  const [report, setReport] = useState(null);
  const [failure, setFailure] = useState(null);

  useEffect(() => {
    let isShown = true;
    streamspace.commands.execute('usage-report', { by: 'user' }).then(
      (answer) => isShown && setReport(answer),
      (error) => isShown && setFailure(error.message),
    );
    return () => {
      isShown = false;
    };
  }, []);

  if (failure) return <p role="alert">The usage could not be read: {failure}</p>;
  if (!report) return <p role="status">Reading the usage…</p>;
  if (report.rows.length === 0) return <p>No session ran in the last seven days.</p>;

  const most = report.rows[0].minutes;
  return (
    <table style={{ width: '100%' }}>
      <caption>{report.total_minutes} minutes in the last seven days</caption>
      <thead>
        <tr>
          <th scope="col" style={{ textAlign: 'left' }}>User</th>
          <th scope="col" style={{ textAlign: 'left' }}>Minutes</th>
        </tr>
      </thead>
      <tbody>
        {report.rows.slice(0, 10).map(({ name, minutes }) => (
          <tr key={name}>
            <th scope="row" style={{ textAlign: 'left', fontWeight: 'normal' }}>{name}</th>
            <td style={{ width: '60%' }}>
              <meter min={0} max={most} value={minutes} style={{ width: '70%' }} aria-label={`${minutes} minutes`} /> {minutes}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
