# Runs a night at 02:30 by the Task Scheduler. Written from Microsoft's documentation and not tried on Windows.
# In a PowerShell opened as administrator; DOMAIN\svc-monitor is an account of its own that may log on as a batch job.
$monitor = "@MONITOR@"
$folder = "@FOLDER@"
$account = Read-Host "Account, like DOMAIN\svc-monitor"
$password = Read-Host "Its password" -AsSecureString
$plain = (New-Object System.Management.Automation.PSCredential($account, $password)).GetNetworkCredential().Password

# The data folder is open to that account and to administrators, and to nobody else.
New-Item -ItemType Directory -Force "$folder\data" | Out-Null
icacls "$folder\data" /inheritance:r /grant "${account}:(OI)(CI)F" /grant "Administrators:(OI)(CI)F"

$action = New-ScheduledTaskAction -Execute $monitor -Argument "run --config `"$folder\monitor.toml`"" -WorkingDirectory "$folder\data"
$purge = New-ScheduledTaskAction -Execute $monitor -Argument "purge --config `"$folder\monitor.toml`"" -WorkingDirectory "$folder\data"
$trigger = New-ScheduledTaskTrigger -Daily -At 02:30
$settings = New-ScheduledTaskSettingsSet -StartWhenAvailable -MultipleInstances IgnoreNew -ExecutionTimeLimit (New-TimeSpan -Hours 4)
Register-ScheduledTask -TaskName "Care-leaver monitor" -Action $purge, $action -Trigger $trigger -Settings $settings -User $account -Password $plain
